"""The files an engine is started with. Pure builders of their texts."""

import json

import yaml

from studio.contract.model_service import RunTicket, TrackerStore
from studio.model_service.jobs import scripts


class BadCredentials(Exception):
    """The Secret with the channels cannot be used; the text says why."""


class _QuotingDumper(yaml.SafeDumper):
    """Writes every string in double quotes."""


_QuotingDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def endpoints(ticket: RunTicket, *, application_name: str, ca_file: str = scripts.CA_FILE) -> str:
    """endpoints.yml: the tracker store, and the action server if there is one.

    Every string is quoted: safe from YAML's guesses and from Rasa's expansion of ${…}, which is for plain ones.
    `application_name` marks the engine's connections to PostgreSQL; `ca_file` is where `tracker_store.ca` was written.
    """
    content: dict[str, object] = {"tracker_store": tracker_store(ticket.tracker_store, application_name, ca_file)}
    if ticket.actions_url:
        content["action_endpoint"] = {"url": ticket.actions_url}
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
