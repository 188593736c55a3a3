"""The one exception that reaches the user: a sentence with the remedy, no traceback."""


class BuildError(Exception):
    """Something the user can act on."""
