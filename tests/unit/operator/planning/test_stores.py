"""Whether a Studio may change its stores."""

import pytest

from studio.contract.labels import Component
from studio_operator.planning.stores import refused_change

DATABASE, OBJECT_STORE = Component.DATABASE, Component.OBJECT_STORE


@pytest.mark.parametrize(
    ("wanted", "used", "field"),
    [
        ((False, False), {}, None),
        ((True, True), {}, None),
        ((False, False), {DATABASE: False, OBJECT_STORE: False}, None),
        ((True, False), {DATABASE: True}, None),
        ((True, False), {DATABASE: False, OBJECT_STORE: False}, "spec.database.embedded again"),
        ((False, True), {DATABASE: False, OBJECT_STORE: False}, "spec.objectStore.embedded again"),
        ((False, True), {DATABASE: True, OBJECT_STORE: True}, "spec.database.external again"),
        ((True, False), {DATABASE: True, OBJECT_STORE: True}, "spec.objectStore.external again"),
    ],
)
def test_only_a_store_without_data_may_be_changed(
    wanted: tuple[bool, bool], used: dict[Component, bool], field: str | None
) -> None:
    refusal = refused_change(dict(zip((DATABASE, OBJECT_STORE), wanted, strict=True)), used)
    assert (refusal is None) if field is None else (refusal is not None and field in refusal)
