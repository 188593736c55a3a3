"""How the tests are shared out among processes, and what all properties have in common."""

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, Scheduling

# A busy machine is no counterexample; whoever is stuck meets the time-out of its test.
settings.register_profile("studio", deadline=None)
settings.load_profile("studio")

# They share the slowest server to start.
IDENTITY = "tests/unit/identity/"


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Tests of one file stay in one process, for they share what they set up; so do all of the identity tests."""

    def _split_scope(self, nodeid: str) -> str:
        return IDENTITY if nodeid.startswith(IDENTITY) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """With `--numprocesses`, whatever else is said."""
    return ByFile(config, log)
