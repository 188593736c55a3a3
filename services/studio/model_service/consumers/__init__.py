"""Consumers: one loop, two strategies. Each attends to one training or run: observe, decide (pure), act, repeat."""
