"""How a client of ours logs in to Kafka: the arguments that aiokafka's consumer, producer and admin client share."""

import ssl
from typing import Any

from studio.settings import EventBrokerSettings, SettingsError, read_secret

REQUEST_TIMEOUT_MS = 15_000


def connection(settings: EventBrokerSettings, *, client_id: str) -> dict[str, Any]:
    """Keyword arguments for `AIOKafkaConsumer`, `AIOKafkaProducer` and `AIOKafkaAdminClient`; reads the files now.

    Raises SettingsError for a login that lacks a file. https://aiokafka.readthedocs.io/en/stable/api.html
    """
    return {
        "bootstrap_servers": list(settings.servers),
        "client_id": client_id,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "security_protocol": settings.security_protocol,
        **_tls(settings),
        **_sasl(settings),
    }


def _tls(settings: EventBrokerSettings) -> dict[str, Any]:
    if not settings.security_protocol.endswith("SSL"):
        return {}
    ca, certificate, key = (settings.folder / name for name in ("ca.crt", "tls.crt", "tls.key"))
    try:
        context = ssl.create_default_context(cafile=ca if ca.exists() else None)
        if certificate.exists():
            context.load_cert_chain(certificate, key if key.exists() else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"ca.crt, tls.crt or tls.key in {settings.folder} cannot be used ({error}): correct the broker's Secret"
        ) from None
    return {"ssl_context": context}


def _sasl(settings: EventBrokerSettings) -> dict[str, Any]:
    if not settings.sasl_mechanism:
        return {}
    return {
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": username(settings),
        "sasl_plain_password": password(settings),
    }


def username(settings: EventBrokerSettings) -> str:
    """Who logs in with SASL. Raises SettingsError when nobody is named."""
    file = settings.folder / "username"
    name = read_secret(file) if file.exists() else settings.default_username
    if not name:
        raise SettingsError(f"{file} is missing: add the key `username` to the Secret of the event broker")
    return name


def password(settings: EventBrokerSettings) -> str:
    """The password of `username`. Raises SettingsError when there is none."""
    file = settings.folder / "password"
    if not file.exists():
        raise SettingsError(f"{file} is missing: add the key `password` to the Secret of the event broker")
    return read_secret(file)
