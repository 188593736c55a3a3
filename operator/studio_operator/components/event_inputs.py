"""What processes are told of the event broker: its addresses, its topics, and a login as files."""

from studio.contract.labels import Component
from studio_operator.api.v1alpha1.stores import LOGIN_KEYS
from studio_operator.components import secrets
from studio_operator.components.context import StudioContext
from studio_operator.components.environment import BROKER_PORT, FILES, PASSWORD, Inputs, address, variables
from studio_operator.components.podspec import Volume, secret_volume

STUDIO_USER = "studio"
ENGINE_USER = "engine"
# Of the external broker's Secrets: those that there are become files of the same names.
LOGIN_FILES = (*LOGIN_KEYS, "ca.crt", "tls.crt", "tls.key")

_FOLDER = f"{FILES}/event-broker"
_ENGINE_FOLDER = f"{FILES}/event-broker-engine"


def broker(context: StudioContext) -> Inputs:
    """The broker, the topics, and the Studio's own login."""
    login = {"EVENT_BROKER_FOLDER": _FOLDER}
    if context.spec.event_broker.embedded:
        login["EVENT_BROKER_USERNAME"] = STUDIO_USER
        keys = {secrets.BROKER_ADMIN: PASSWORD}
        volumes = [secret_volume("event-broker", secrets.event_broker(context), _FOLDER, keys)]
    else:
        volumes = _external_login(context, "event-broker", _FOLDER)
    return Inputs(variables(_server(context) | login | _topics(context)), volumes)


def topics_to_make(context: StudioContext) -> Inputs:
    """How the topics shall be, and who else may write to them, for the migration."""
    topic = context.spec.event_broker.topic
    known = {"EVENTS_PARTITIONS": str(topic.partitions), "EVENTS_REPLICATION": str(topic.replication_factor)}
    if context.spec.event_broker.embedded:
        known["EVENT_BROKER_ENGINE_USER"] = ENGINE_USER
    return Inputs(variables(known))


def ingestion(context: StudioContext) -> Inputs:
    """What else is read into the database."""
    wanted = context.spec.ingestion
    known = {"INGESTION_TOPICS": ",".join(wanted.topics), "INGESTION_BACKFILL": "true" if wanted.backfill else "false"}
    return Inputs(variables(known))


def engine_broker(context: StudioContext) -> Inputs:
    """The broker, the topics, and the login that engines get: it may write events, and nothing else."""
    login = {"ENGINE_EVENTS_FOLDER": _ENGINE_FOLDER}
    if context.spec.event_broker.embedded:
        login["ENGINE_EVENTS_USERNAME"] = ENGINE_USER
        keys = {secrets.BROKER_ENGINE: PASSWORD}
        volumes = [secret_volume("event-broker-engine", secrets.event_broker(context), _ENGINE_FOLDER, keys)]
    else:
        volumes = _external_login(context, "event-broker-engine", _ENGINE_FOLDER)
    return Inputs(variables(_server(context) | login | _topics(context)), volumes)


def _server(context: StudioContext) -> dict[str, str]:
    external = context.spec.event_broker.external
    if external is None:
        where = (address(context, Component.EVENT_BROKER, BROKER_PORT), "SASL_PLAINTEXT", "PLAIN")
    else:
        mechanism = external.sasl_mechanism if external.signs_in else ""
        where = (external.bootstrap_servers, external.security_protocol, mechanism)
    names = ("EVENT_BROKER_SERVERS", "EVENT_BROKER_SECURITY_PROTOCOL", "EVENT_BROKER_SASL_MECHANISM")
    return dict(zip(names, where, strict=True))


def _topics(context: StudioContext) -> dict[str, str]:
    name = context.spec.event_broker.topic.name
    return {"EVENTS_TOPIC": name, "EVENTS_DEAD_LETTER_TOPIC": f"{name}-dead-letters"}


def _external_login(context: StudioContext, volume: str, folder: str) -> list[Volume]:
    external = context.spec.event_broker.external
    reference = external.secret_ref if external else None
    if external and volume == "event-broker-engine":
        reference = external.engine_secret_ref or reference
    if reference is None:
        return []
    return [secret_volume(volume, reference.name, folder, {key: key for key in LOGIN_FILES}, optional=True)]
