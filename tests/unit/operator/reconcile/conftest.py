"""One world per test."""

import pytest
from tests.unit.operator.reconcile.world import World


@pytest.fixture
def world() -> World:
    return World()
