"""Quoting for the statements that take no parameters (CREATE ROLE, CREATE DATABASE, …)."""

import re

_NAME = re.compile(r"^[a-z_][a-z0-9_-]{0,62}$")


def identifier(name: str) -> str:
    """A quoted identifier; raises ValueError for what is not a plain name of at most 63 characters."""
    if not _NAME.match(name):
        raise ValueError(
            f"{name!r} cannot be the name of a role, schema or database: use lower-case letters, digits, _ and -"
        )
    return f'"{name}"'


def literal(text: str) -> str:
    """A quoted string constant, whatever `standard_conforming_strings` says."""
    if "\x00" in text:
        raise ValueError("a string constant cannot hold a null character")
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
