"""The metadata that all tables belong to, and the columns that recur in them."""

from sqlalchemy import Boolean, Column, Integer, MetaData, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def quoted(values: tuple[str, ...]) -> str:
    """The values as a list of SQL literals, for check constraints."""
    return ", ".join(f"'{value}'" for value in values)


def moment(name: str, *, nullable: bool = True, now: bool = False) -> Column[object]:
    """A moment with its time zone."""
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable, server_default=text("now()") if now else None)


def flag(name: str) -> Column[bool]:
    """A truth that starts as false."""
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def number(name: str, default: int) -> Column[int]:
    """A count or an order."""
    return Column(name, Integer, nullable=False, server_default=text(str(default)))


def words(name: str) -> Column[str]:
    """A sentence for people; empty when there is none."""
    return Column(name, Text, nullable=False, server_default=text("''"))
