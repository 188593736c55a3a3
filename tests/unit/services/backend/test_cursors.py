"""Cursors come back as they went, and nothing else comes back as one."""

import contextlib
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from studio.backend import cursors
from studio.backend.models.common import EARLIEST, LARGEST_ID, LATEST
from studio.http.problems import Refused

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(8999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
NUMBERS = st.integers(0, LARGEST_ID)


@given(MOMENTS, NUMBERS)
def test_places_come_back(moment: datetime, number: int) -> None:
    assert EARLIEST < moment < LATEST
    assert cursors.at_moment(cursors.encode(moment, number)) == (moment, number)
    assert cursors.at_number(cursors.encode(number)) == number
    assert cursors.at_name(cursors.encode(moment, "a-t1-abcde")) == (moment, "a-t1-abcde")
    assert cursors.at_text(cursors.encode("concierge")) == "concierge"


@given(st.text() | st.text(alphabet="abcdefgWyIw=-_01289", max_size=40))
def test_no_text_breaks_the_reading(text: str) -> None:
    for read in (cursors.at_moment, cursors.at_number, cursors.at_name, cursors.at_text):
        with contextlib.suppress(Refused):
            read(text)


def test_pages() -> None:
    page = cursors.page([1, 2, 3], 2, lambda last: (last,))
    assert (page.items, cursors.at_number(page.next_cursor or "")) == ([1, 2], 2)
    assert cursors.page([1, 2], 2, lambda last: (last,)).next_cursor is None
    assert cursors.page([], 2, lambda last: (last,)).items == []
