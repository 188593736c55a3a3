"""Who holds a training or a run, by the database; and that who was silent for too long has heard that it is another."""

from studio_e2e.database import Database
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually


def holder_of(rows: Database, item: str) -> str:
    """The consumer that holds a training or a run."""
    (row,) = rows.fetch("select holder from items where id = $1", item)
    return str(row["holder"])


def wait_holder(rows: Database, item: str, *, other_than: str) -> str:
    """The next consumer of an item whose holder is silent: consumers look again once its lease is over."""

    def another() -> str:
        rows.wake_consumers()
        if (holder := holder_of(rows, item)) == other_than:
            raise NotYet(f"{holder} holds it")
        return holder

    return eventually(f"another one holds {item}", another, within=40, every=1)


def wait_abandoned(space: Space, consumer: str) -> None:
    """Until a consumer that stood still has heard that what it held is not its own any more."""
    log = ("logs", consumer, "--since=2m")
    eventually("it hears of it", lambda: "lease lost, item abandoned" in space.run(*log), within=30)
