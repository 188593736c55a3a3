"""Pure decisions: which content, which stage, how many slots. No I/O, no clock, no kopf."""
