"""The operator: makes what Assistants and Studios ask for true, and says how far it got."""

__version__ = "0.1.0"
