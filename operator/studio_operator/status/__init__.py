"""Pure: from what was observed to conditions and status. No I/O, no clock, no kopf."""
