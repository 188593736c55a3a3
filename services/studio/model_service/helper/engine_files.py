"""The files an engine is started with. Pure builders of their texts."""

import json

import yaml

from studio.contract.model_service import EngineTicket, EventBrokerLogin, TrackerStore
from studio.model_service.jobs import scripts

# Events that wait in the engine's memory while the broker is away; what is beyond is left to the back-fill.
_EVENT_QUEUE = 10_000


class BadCredentials(Exception):
    """The Secret with the channels cannot be used; the text says why."""


class _QuotingDumper(yaml.SafeDumper):
    """Writes every string in double quotes."""


_QuotingDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def certificates(ticket: EngineTicket) -> dict[str, str]:
    """PEM texts by the path of the file in which the engine looks for them."""
    broker = ticket.event_broker
    texts = {
        scripts.CA_FILE: ticket.tracker_store.ca,
        scripts.EVENTS_CA_FILE: broker and broker.ca,
        scripts.EVENTS_CERTIFICATE_FILE: broker and broker.certificate,
        scripts.EVENTS_KEY_FILE: broker and broker.key,
    }
    return {path: text for path, text in texts.items() if text}


def endpoints(ticket: EngineTicket, *, application_name: str, ca_file: str = scripts.CA_FILE) -> str:
    """endpoints.yml: the tracker store, the action server and the event broker if there are any.

    Every string is quoted: safe from YAML's guesses and from Rasa's expansion of ${…}, which is for plain ones.
    `application_name` marks the engine's connections; `ca_file` is where `tracker_store.ca` was written.
    """
    content: dict[str, object] = {"tracker_store": tracker_store(ticket.tracker_store, application_name, ca_file)}
    if ticket.actions_url:
        content["action_endpoint"] = {"url": ticket.actions_url}
    if ticket.event_broker:
        content["event_broker"] = event_broker(ticket.event_broker, application_name)
    return yaml.dump(content, Dumper=_QuotingDumper, sort_keys=False)


def tracker_store(store: TrackerStore, application_name: str, ca_file: str) -> dict[str, object]:
    """Rasa's SQLTrackerStore: https://rasa.com/docs/rasa/tracker-stores#sqltrackerstore."""
    query = {"application_name": application_name, "sslmode": store.sslmode}
    if store.sslmode == "verify-full":
        # `system` takes libpq 16; before, and without this, it would look into the engine's home only.
        query["sslrootcert"] = ca_file if store.ca else "system"
    # PostgreSQL looks into the schema of the role's own name by itself.
    if store.db_schema != store.username:
        query["options"] = f"-csearch_path={store.db_schema}"
    return {
        "type": "SQL",
        "dialect": "postgresql",
        "url": store.host,
        "port": store.port,
        "db": store.database,
        "username": store.username,
        "password": store.password,
        "query": query,
    }


def event_broker(login: EventBrokerLogin, client_id: str) -> dict[str, object]:
    """Rasa's KafkaEventBroker: https://rasa.com/docs/rasa/event-brokers#kafka-event-broker.

    All events of a conversation go to one partition, where they stay in order.
    """
    content: dict[str, object] = {
        "type": "kafka",
        "url": ",".join(login.servers),
        "topic": login.topic,
        "partition_by_sender": True,
        "client_id": client_id,
        "queue_size": _EVENT_QUEUE,
        "security_protocol": login.security_protocol,
    }
    if login.sasl_mechanism:
        content["sasl_mechanism"] = login.sasl_mechanism
        content["sasl_username"] = login.username
        content["sasl_password"] = login.password
    if login.security_protocol.endswith("SSL"):
        # Off by default: any certificate of a trusted authority would do.
        content["ssl_check_hostname"] = True
        files = {
            "ssl_cafile": login.ca and scripts.EVENTS_CA_FILE,
            "ssl_certfile": login.certificate and scripts.EVENTS_CERTIFICATE_FILE,
            "ssl_keyfile": login.key and scripts.EVENTS_KEY_FILE,
        }
        content.update({option: path for option, path in files.items() if path})
    return content


def credentials(channels: str | None) -> str:
    """credentials.yml: the channels of the Secret, and REST always. Raises BadCredentials."""
    if not channels or not channels.strip():
        return "rest:\n"
    try:
        parsed = yaml.safe_load(channels)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise BadCredentials(f"credentials.yml in the Secret is not readable YAML{where}: correct it") from None
    if parsed is None:
        return "rest:\n"
    if not isinstance(parsed, dict):
        raise BadCredentials("credentials.yml in the Secret must be a mapping of channel names: correct it")
    if "rest" in parsed:
        return channels
    return (
        json.dumps({**parsed, "rest": None}, indent=2, default=str) + "\n"
        if _is_flow(channels)
        else (channels.rstrip() + "\nrest:\n")
    )


def _is_flow(text: str) -> bool:
    return text.lstrip().startswith("{")
