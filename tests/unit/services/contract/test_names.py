import pytest

from studio.contract import names


@pytest.mark.parametrize(
    "name", ["studio-database", "studio-run", "studio-migration-0a1b2c3d", "concierge-actions", "events"]
)
def test_names_that_collide(name: str) -> None:
    conflict = names.conflict(name, "studio")
    assert conflict is not None
    assert conflict.endswith("; choose another name")


@pytest.mark.parametrize("name", ["concierge", "studio", "studio-bot", "database", "actions"])
def test_names_that_do_not_collide(name: str) -> None:
    assert names.conflict(name, "studio") is None
