"""Label and field selectors as the API server understands them."""

import re
from collections.abc import Mapping
from typing import Any

_SET_BASED = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")


def matches_labels(labels: Mapping[str, str], selector: str) -> bool:
    """Whether the labels satisfy a selector such as `a=b, c in (d, e), !f`."""
    return all(_label_holds(labels, term) for term in _terms(selector))


def matches_fields(body: Mapping[str, Any], selector: str) -> bool:
    """Whether the fields satisfy a selector such as `metadata.name=a,status.phase!=Failed`."""
    for term in _terms(selector):
        path, wanted, equal = _equality(term)
        value: Any = body
        for part in path.split("."):
            value = value.get(part, "") if isinstance(value, Mapping) else ""
        if (str(value) == wanted) is not equal:
            return False
    return True


def _label_holds(labels: Mapping[str, str], term: str) -> bool:
    if found := _SET_BASED.match(term):
        key, operator, values = found.groups()
        member = labels.get(key) in {value.strip() for value in values.split(",")}
        return member if operator == "in" else not member
    if "=" in term:
        key, wanted, equal = _equality(term)
        return (labels.get(key) == wanted) is equal
    return term[1:].strip() not in labels if term.startswith("!") else term in labels


def _equality(term: str) -> tuple[str, str, bool]:
    key, operator, wanted = re.split(r"\s*(!=|==|=)\s*", term, maxsplit=1)
    return key.strip(), wanted.strip(), operator != "!="


def _terms(selector: str) -> list[str]:
    return [term.strip() for term in re.split(r",(?![^(]*\))", selector) if term.strip()]
