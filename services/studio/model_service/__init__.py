"""The model service: its queue, orchestrators, consumers, the Jobs they make and the helpers inside those."""
