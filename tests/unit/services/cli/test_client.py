"""Requests that fail: what is repeated, what is not, and what a person is told."""

from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.services.cli.conftest import Run
from tests.unit.services.cli.fake_studio import FakeStudio, event, problem

from studio.cli import sse
from studio.cli.errors import Unreachable


def test_a_read_is_repeated_with_back_off_under_one_request_id(run: Run, studio: FakeStudio) -> None:
    studio.instead = [httpx2.Response(503), httpx2.ReadTimeout("slow"), httpx2.Response(502)]
    assert run("whoami").exit_code == 0
    assert len(studio.requests) == 4
    assert len({request.headers["x-request-id"] for request in studio.requests}) == 1
    assert studio.clock.slept == sorted(studio.clock.slept)


def test_retry_after_is_heeded(run: Run, studio: FakeStudio) -> None:
    studio.instead = [httpx2.Response(503, headers={"retry-after": "7"})]
    assert run("whoami").exit_code == 0
    assert studio.clock.slept == [7.0]


def test_a_creation_is_not_repeated_once_it_was_sent(run: Run, studio: FakeStudio) -> None:
    studio.instead = [httpx2.ReadTimeout("slow")]
    result = run("assistants", "create", "hall")
    assert result.exit_code == 4
    assert len(studio.requests) == 1


def test_a_creation_that_never_left_is_repeated(run: Run, studio: FakeStudio) -> None:
    studio.instead = [httpx2.ConnectError("refused")]
    assert run("assistants", "create", "hall").exit_code == 0


def test_a_studio_that_is_away_ends_with_4(run: Run, studio: FakeStudio) -> None:
    studio.instead = [httpx2.ConnectError("refused")] * 9
    result = run("status")
    assert result.exit_code == 4
    assert "config show" in result.stderr


def test_an_unready_studio_ends_with_4(run: Run, studio: FakeStudio) -> None:
    studio.instead = [problem(503, "Service Unavailable", "the database is away")] * 9
    result = run("status")
    assert result.exit_code == 4
    assert "the database is away" in result.stderr


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>", headers={"content-type": "text/html"}),
        httpx2.Response(302, headers={"location": "https://elsewhere"}),
        httpx2.Response(200, content=b"\xff\xfe", headers={"content-type": "application/json"}),
    ],
)
def test_an_address_that_is_no_studio_ends_with_4(run: Run, studio: FakeStudio, answer: httpx2.Response) -> None:
    studio.instead = [answer]
    assert run("whoami").exit_code == 4
    assert len(studio.requests) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"errors": ["x", 1]}', b'{"errors": 5}', b'{"title": 5}'])
def test_a_strange_problem_is_still_told(run: Run, studio: FakeStudio, body: bytes) -> None:
    studio.instead = [httpx2.Response(400, content=body)]
    result = run("whoami")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_a_log_that_breaks_off_goes_on_after_its_last_line(run: Run, studio: FakeStudio) -> None:
    studio.training("hall-t1-abcde", "hall")
    studio.streams["/trainings/hall-t1-abcde/log"] = [
        [
            event("line", {"line": "one"}, 1),
            event("line", {"line": "two"}, 2),
            "event: line\nid: 3\nda",
            httpx2.ReadError("x"),
        ],
        [event("line", {"line": "three"}, 3), event("end", {"state": "Succeeded"}, 4)],
    ]
    result = run("logs", "hall-t1-abcde", "-f")
    assert result.stdout == "one\ntwo\nthree\n"
    resumed = [request.headers.get("last-event-id") for request in studio.requests if request.url.path.endswith("/log")]
    assert resumed == [None, "2"]


@given(st.data(), st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), max_size=20))
def test_however_a_stream_is_cut_every_event_comes_once(draws: st.DataObject, texts: list[str]) -> None:
    whole = [event("line", text, number) for number, text in enumerate(texts, 1)]
    cuts = 0

    def open_stream(last_id: str | None) -> "_Opened":
        nonlocal cuts
        rest = ": hello\n\n" + "".join(whole[int(last_id or 0) :]) + "event: end\ndata: {}\n\n"
        octets = rest.encode()
        cuts += 1
        length = len(octets) if cuts > 5 else draws.draw(st.integers(0, len(octets)))
        pieces = draws.draw(st.integers(1, 9))
        return _Opened(octets[:length], pieces, broken=length < len(octets))

    import json

    got = []
    for found in sse.events(open_stream, sleep=lambda _: None, tries=99):
        if found.name == "end":
            break
        if found.name == "line":
            got.append(json.loads(found.data))
    assert got == texts


def test_a_stream_that_never_comes_is_given_up() -> None:
    slept: list[float] = []
    with pytest.raises(Unreachable):
        list(sse.events(lambda _last: _Opened(b"", 1, broken=True), sleep=slept.append, clock=lambda: 0.0, tries=5))
    assert len(slept) == 4


class _Opened:
    """A connection that gives bytes in pieces, and then breaks or ends."""

    def __init__(self, octets: bytes, size: int, *, broken: bool) -> None:
        def body() -> Iterator[bytes]:
            for start in range(0, len(octets), size):
                yield octets[start : start + size]
            if broken:
                raise httpx2.ReadError("cut")

        self._response = httpx2.Response(
            200,
            content=body(),
            headers={"content-type": "text/event-stream"},
            request=httpx2.Request("GET", "http://x"),
        )

    def __enter__(self) -> httpx2.Response:
        return self._response

    def __exit__(self, *_: object) -> None:
        self._response.close()
