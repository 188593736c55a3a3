"""Taking the link away while the kernel does the same."""

from collections.abc import Sequence

import pytest

from cluster.command import CommandError
from cluster.local import network


def test_a_link_that_the_kernel_took_away_first_is_gone_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    listings = [f'[{{"ifname": "{network.HOST_LINK}"}}]', "[]"]

    def run(argv: Sequence[str]) -> str:
        if "delete" in argv:
            raise CommandError("Cannot find device")
        return listings.pop(0)

    monkeypatch.setattr(network, "run", run)
    network.delete_link()
    assert listings == []


def test_a_link_that_stays_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: Sequence[str]) -> str:
        if "delete" in argv:
            raise CommandError("Operation not permitted")
        return f'[{{"ifname": "{network.HOST_LINK}"}}]'

    monkeypatch.setattr(network, "run", run)
    with pytest.raises(CommandError, match="not permitted"):
        network.delete_link()
