"""What the engine is started with."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from studio.contract.model_service import FileDigest, RunTicket, TrackerStore
from studio.model_service.helper.engine_files import BadCredentials, credentials, endpoints
from studio.model_service.helper.trackers import verdict


def _ticket(password: str = "p", *, actions: str | None = None, username: str = "tracker_u") -> RunTicket:
    store = TrackerStore(
        host="db", port=5432, database="trackers", db_schema="tracker_u", username=username, password=password
    )
    return RunTicket(
        model_version="1",
        model=FileDigest(sha256="0" * 64, size=1),
        model_url="http://s3/m",
        members=[],
        tracker_store=store,
        actions_url=actions,
    )


@given(st.text(min_size=1))
def test_any_password_survives_yaml(password: str) -> None:
    text = endpoints(_ticket(password), application_name="run-1")
    assert yaml.safe_load(text)["tracker_store"]["password"] == password


def test_endpoints() -> None:
    content = yaml.safe_load(endpoints(_ticket(actions="http://a:5055/webhook"), application_name="run-1"))
    assert content["action_endpoint"] == {"url": "http://a:5055/webhook"}
    assert content["tracker_store"]["query"] == {"application_name": "run-1", "sslmode": "prefer"}
    assert "action_endpoint" not in yaml.safe_load(endpoints(_ticket(), application_name="run-1"))


@pytest.mark.parametrize(
    ("sslmode", "ca", "expected"),
    [
        ("require", None, {"sslmode": "require"}),
        ("verify-full", None, {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("verify-full", "PEM", {"sslmode": "verify-full", "sslrootcert": "/run/engine/database-ca.pem"}),
    ],
)
def test_tls_to_the_tracker_store(sslmode: str, ca: str | None, expected: dict[str, str]) -> None:
    ticket = _ticket()
    store = ticket.tracker_store.model_copy(update={"sslmode": sslmode, "ca": ca})
    text = endpoints(ticket.model_copy(update={"tracker_store": store}), application_name="r")
    query = yaml.safe_load(text)["tracker_store"]["query"]
    assert query == {"application_name": "r", **expected}


def test_schema_of_another_name_is_put_on_the_search_path() -> None:
    content = yaml.safe_load(endpoints(_ticket(username="login"), application_name="r"))
    assert content["tracker_store"]["query"]["options"] == "-csearch_path=tracker_u"


@pytest.mark.parametrize("text", [None, "", "\n", "# nothing\n"])
def test_rest_is_always_on(text: str | None) -> None:
    assert yaml.safe_load(credentials(text)) == {"rest": None}


@pytest.mark.parametrize("text", ["socketio:\n  path: ${X}\n", "{socketio: {path: '${X}'}}"])
def test_rest_is_added_to_the_channels(text: str) -> None:
    assert yaml.safe_load(credentials(text)) == {"socketio": {"path": "${X}"}, "rest": None}


def test_rest_of_the_user_stays() -> None:
    assert credentials("rest:\n  a: 1\n") == "rest:\n  a: 1\n"


@pytest.mark.parametrize("text", ["[", "- rest", "a: b: c"])
def test_bad_credentials_are_told_without_showing_them(text: str) -> None:
    with pytest.raises(BadCredentials, match=r"credentials\.yml in the Secret"):
        credentials(text)


@pytest.mark.parametrize(
    ("has_table", "may_write", "connected", "words"),
    [
        (True, True, True, ""),
        (False, False, False, "not made its table"),
        (True, False, True, "may not write"),
        (True, True, False, "no connection"),
    ],
)
def test_trackers(has_table: bool, may_write: bool, connected: bool, words: str) -> None:
    report = verdict(has_table=has_table, may_write=may_write, connected=connected)
    assert report.trackers_durable is (words == "")
    assert words in report.message
