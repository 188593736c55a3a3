"""What answers of the API server are made of them."""

import pytest

from studio.kube.errors import Forbidden, from_status


@pytest.mark.parametrize(
    ("told", "reason"),
    [("Forbidden", "Forbidden"), ("NotOurPolicy", "NotOurPolicy"), ("no Service without an owner", "Forbidden")],
)
def test_a_reason_is_one_word(told: str, reason: str) -> None:
    """Many an admission webhook says it in prose; the message has that as well."""
    refusal = from_status(403, {"reason": told, "message": f"admission webhook denied the request: {told}"})
    assert (type(refusal), refusal.reason) == (Forbidden, reason)
    assert told in refusal.message
