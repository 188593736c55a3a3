"""The login to the broker: for our own clients, and as the engines get it."""

from pathlib import Path

import pytest
from tests.support.certificates import Authority

from studio.contract.model_service import EventBrokerLogin
from studio.events.connection import connection
from studio.events.engines import engine_login
from studio.settings import EngineEventsSettings, EventBrokerSettings, SettingsError


def broker(folder: Path, protocol: str, mechanism: str = "", username: str = "") -> EventBrokerSettings:
    return EventBrokerSettings(("a:9092", "b:9092"), folder, protocol, mechanism, username)


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def test_nothing_is_asked_of_an_open_broker(tmp_path: Path) -> None:
    settings = broker(tmp_path, "PLAINTEXT")
    assert connection(settings, client_id="c")["bootstrap_servers"] == ["a:9092", "b:9092"]
    assert engine_login(EngineEventsSettings(settings, "t")) == EventBrokerLogin(
        servers=["a:9092", "b:9092"], topic="t", security_protocol="PLAINTEXT"
    )


def test_the_name_in_the_secret_wins_over_the_default(tmp_path: Path) -> None:
    put(tmp_path, password="p\n")
    settings = broker(tmp_path, "SASL_PLAINTEXT", "PLAIN", username="engine")
    assert connection(settings, client_id="c")["sasl_plain_username"] == "engine"
    put(tmp_path, username="somebody\n")
    found = engine_login(EngineEventsSettings(settings, "t"))
    assert (found.username, found.password, found.sasl_mechanism) == ("somebody", "p", "PLAIN")


@pytest.mark.parametrize("missing", ["username", "password"])
def test_a_key_that_the_secret_lacks_is_named(tmp_path: Path, missing: str) -> None:
    put(tmp_path, **{"username": "u", "password": "p", missing: ""})
    (tmp_path / missing).unlink()
    with pytest.raises(SettingsError, match=f"{missing} is missing: add the key `{missing}` to the Secret"):
        connection(broker(tmp_path, "SASL_PLAINTEXT", "PLAIN"), client_id="c")


def test_certificates_are_passed_on_as_text(tmp_path: Path) -> None:
    authority = Authority("A")
    issued = authority.issue("engine")
    put(tmp_path, ca_crt=authority.certificate, tls_crt=issued.certificate, tls_key=issued.key)
    settings = broker(tmp_path, "SSL")
    found = engine_login(EngineEventsSettings(settings, "t"))
    assert (found.ca, found.certificate, found.key) == (authority.certificate, issued.certificate, issued.key)
    assert connection(settings, client_id="c")["ssl_context"].check_hostname


def test_a_certificate_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    put(tmp_path, ca_crt="not PEM")
    with pytest.raises(SettingsError, match=r"ca.crt, tls.crt or tls.key in .* cannot be used"):
        connection(broker(tmp_path, "SSL"), client_id="c")
