"""Whether a line of trainings is what it is said to be: higher priority first, then the older one. Pure.

Every assistant has one training here, so that nobody has had more of the service than others.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

View = dict[str, Any]


def misplaced(views: Iterable[View]) -> list[str]:
    """What is wrong with the positions in one answer of the API, one line each."""
    # Without a position: it was claimed while the answer was put together.
    waiting = sorted((view for view in views if view["position"] is not None), key=lambda view: int(view["position"]))
    wrong = [
        f"{view['id']} is {view['position']}" for place, view in enumerate(waiting, 1) if view["position"] != place
    ]
    pairs = itertools.pairwise(waiting)
    return wrong + [f"{two['id']} stands behind {one['id']}" for one, two in pairs if _place(one) > _place(two)]


def overtaken(views: Sequence[View], answered: Mapping[str, float]) -> list[str]:
    """The trainings that began while another one stood ahead of them in the line, one line each.

    By its id, `answered` has when each request was answered (seconds as `moment` gives them): from then on it stands in
    the line for certain. The moment that it carries is that at which it was begun to be written.
    """
    begun = sorted((view for view in views if view["started_at"]), key=lambda view: moment(view["started_at"]))
    found = []
    for view in begun:
        began = moment(view["started_at"])
        ahead = [
            other
            for other in views
            if _place(other) < _place(view)
            and answered[other["id"]] < began
            and (not other["started_at"] or moment(other["started_at"]) > began)
        ]
        found += [f"{view['id']} began before {ahead[0]['id']}"] if ahead else []
    return found


def _place(view: View) -> tuple[int, float]:
    return -int(view["priority"]), moment(view["requested_at"])


def moment(timestamp: str) -> float:
    """Seconds of an ISO 8601 timestamp."""
    return dt.datetime.fromisoformat(timestamp).timestamp()
