"""What the environment says about the event broker."""

from pathlib import Path

import pytest

from studio.settings import (
    EngineEventsSettings,
    EventBrokerSettings,
    EventsMigration,
    EventsTopicSettings,
    KeycloakDatabase,
    SettingsError,
)

BROKER = {
    "EVENT_BROKER_SERVERS": "a:9092, b:9092,",
    "EVENT_BROKER_SECURITY_PROTOCOL": "SASL_SSL",
    "EVENT_BROKER_SASL_MECHANISM": "SCRAM-SHA-512",
}


def test_a_broker() -> None:
    assert EventBrokerSettings.from_env(BROKER) == EventBrokerSettings(
        servers=("a:9092", "b:9092"),
        folder=Path("/etc/studio/event-broker"),
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
    )


def test_without_sasl_there_is_no_mechanism() -> None:
    found = EventBrokerSettings.from_env({"EVENT_BROKER_SERVERS": "a:9092", "EVENT_BROKER_SASL_MECHANISM": "PLAIN"})
    assert (found.security_protocol, found.sasl_mechanism) == ("PLAINTEXT", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENT_BROKER_SECURITY_PROTOCOL", "TLS"),
        ("EVENT_BROKER_SASL_MECHANISM", "GSSAPI"),
        ("EVENTS_PARTITIONS", "many"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be .*, not '{value}'"):
        EventsMigration.optional({**BROKER, name: value})


def test_the_topics() -> None:
    assert EventsTopicSettings.from_env({}) == EventsTopicSettings("studio-events", "studio-events-dead-letters", 6, 1)
    env = {"EVENTS_TOPIC": "t", "EVENTS_PARTITIONS": "12", "EVENTS_REPLICATION": "3"}
    assert EventsTopicSettings.from_env(env) == EventsTopicSettings("t", "t-dead-letters", 12, 3)


def test_engines_log_in_to_the_same_broker_as_somebody_else() -> None:
    env = {
        **BROKER,
        "ENGINE_EVENTS_FOLDER": "/e",
        "ENGINE_EVENTS_USERNAME": "engine",
        "EVENT_BROKER_USERNAME": "studio",
    }
    found = EngineEventsSettings.optional(env)
    assert found is not None
    assert (found.broker.folder, found.broker.default_username, found.topic) == (Path("/e"), "engine", "studio-events")
    assert found.broker.servers == ("a:9092", "b:9092")


def test_what_a_studio_does_not_have_is_left_out() -> None:
    assert EngineEventsSettings.optional({}) is None
    assert EventsMigration.optional({}) is None
    assert KeycloakDatabase.optional({"KEYCLOAK_DATABASE": "keycloak"}) is None


def test_keycloaks_database() -> None:
    found = KeycloakDatabase.optional({"KEYCLOAK_PASSWORD_FILE": "/p"})
    assert found is not None
    assert (found.name, found.owner.role, found.owner.password_file) == ("keycloak", "keycloak", Path("/p"))
