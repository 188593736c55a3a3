"""Quantities and the combination of resource requirements."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_operator.api.quantity import amount, merged

SUFFIXES = ["", "m", "k", "M", "G", "Ki", "Mi", "Gi"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("200m", "0.2"),
        ("1", "1"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("2Gi", str(2 * 1024**3)),
        ("1e3", "1000"),
        ("2E", "2e18"),
    ],
)
def test_amount(text: str, value: str) -> None:
    assert amount(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "two", "1 Gi", "1gb", "-1", "1\n"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(text)


def test_a_low_limit_lowers_the_default_request() -> None:
    defaults = {"requests": {"cpu": "200m", "memory": "700Mi"}, "limits": {"memory": "2Gi"}}
    assert merged(defaults, {"limits": {"memory": "512Mi"}}) == {
        "requests": {"cpu": "200m", "memory": "512Mi"},
        "limits": {"memory": "512Mi"},
    }


def test_a_high_request_raises_the_default_limit() -> None:
    assert merged({"limits": {"memory": "2Gi"}}, {"requests": {"memory": "3Gi"}}) == {
        "requests": {"memory": "3Gi"},
        "limits": {"memory": "3Gi"},
    }


def test_later_overrides_win() -> None:
    assert merged({}, {"limits": {"memory": "1Gi"}}, {"limits": {"memory": "4Gi"}}) == {"limits": {"memory": "4Gi"}}


quantities = st.builds(lambda number, suffix: f"{number}{suffix}", st.integers(0, 5000), st.sampled_from(SUFFIXES))
names = st.dictionaries(st.sampled_from(["cpu", "memory", "example.com/gpu"]), quantities)


@st.composite
def requirements(draw: st.DrawFn) -> dict[str, dict[str, str]]:
    """Requirements that are valid by themselves."""
    requests, limits = draw(names), draw(names)
    for name in requests.keys() & limits.keys():
        if amount(requests[name]) > amount(limits[name]):
            requests[name] = limits[name]
    return {"requests": requests, "limits": limits}


@given(requirements(), requirements(), requirements())
def test_no_request_exceeds_its_limit_and_the_last_word_counts(
    defaults: dict[str, dict[str, str]], first: dict[str, dict[str, str]], last: dict[str, dict[str, str]]
) -> None:
    result = merged(defaults, first, last)
    requests, limits = result.get("requests", {}), result.get("limits", {})
    assert all(amount(requests[name]) <= amount(limits[name]) for name in requests.keys() & limits.keys())
    assert last["requests"].items() <= requests.items()
    assert last["limits"].items() <= limits.items()
