"""What the engine is started with."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from studio.contract.model_service import EventBrokerLogin, FileDigest, RunTicket, TrackerStore
from studio.model_service.helper.engine_files import BadCredentials, certificates, credentials, endpoints
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


def _publishing(**login: Any) -> RunTicket:
    broker = EventBrokerLogin(servers=["a:9092", "b:9092"], topic="events", **login)
    return _ticket().model_copy(update={"event_broker": broker})


def _event_broker(ticket: RunTicket) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(endpoints(ticket, application_name="run-1"))["event_broker"]
    return found


def test_events_go_to_one_partition_for_each_conversation() -> None:
    assert _event_broker(_publishing(security_protocol="PLAINTEXT")) == {
        "type": "kafka",
        "url": "a:9092,b:9092",
        "topic": "events",
        "partition_by_sender": True,
        "client_id": "run-1",
        "queue_size": 10_000,
        "security_protocol": "PLAINTEXT",
    }


def test_events_with_a_password() -> None:
    login = {"sasl_mechanism": "SCRAM-SHA-512", "username": "engine", "password": "${HOME} #x"}
    content = _event_broker(_publishing(security_protocol="SASL_PLAINTEXT", **login))
    assert content["security_protocol"] == "SASL_PLAINTEXT"
    assert content["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (content["sasl_username"], content["sasl_password"]) == ("engine", "${HOME} #x")
    assert not [option for option in content if option.startswith("ssl_")]


def test_events_over_tls_name_the_files_that_are_written() -> None:
    ticket = _publishing(security_protocol="SSL", ca="CA", certificate="CERTIFICATE", key="KEY")
    content = _event_broker(ticket)
    assert content["ssl_check_hostname"] is True
    assert certificates(ticket) == {
        content["ssl_cafile"]: "CA",
        content["ssl_certfile"]: "CERTIFICATE",
        content["ssl_keyfile"]: "KEY",
    }


def test_without_an_authority_of_its_own_the_systems_is_trusted() -> None:
    ticket = _publishing(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", username="u", password="p")
    assert not {"ssl_cafile", "ssl_certfile", "ssl_keyfile"} & set(_event_broker(ticket))
    assert certificates(ticket) == {}


def test_a_ticket_of_an_orchestrator_that_knows_no_events() -> None:
    old = _ticket().model_dump(mode="json", exclude={"event_broker"})
    ticket = RunTicket.model_validate(old)
    assert "event_broker" not in yaml.safe_load(endpoints(ticket, application_name="run-1"))
