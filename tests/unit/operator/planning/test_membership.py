"""Which Studio an Assistant belongs to, whatever its spec looks like."""

import pytest

from studio.kube import Manifest
from studio_operator.planning.membership import names_a_studio, studio_of


@pytest.mark.parametrize(
    ("assistant", "studio", "named"),
    [
        ({}, "studio", False),
        ({"spec": None}, "studio", False),
        ({"spec": {"studioRef": None}}, "studio", False),
        ({"spec": {"studioRef": {}}}, "studio", False),
        ({"spec": {"studioRef": {"name": "studio"}}}, "studio", True),
        ({"spec": {"studioRef": {"name": "atelier"}, "language": 7}}, "atelier", True),
    ],
)
def test_membership(assistant: Manifest, studio: str, named: bool) -> None:
    assert (studio_of(assistant), names_a_studio(assistant)) == (studio, named)
