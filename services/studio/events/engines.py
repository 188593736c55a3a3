"""What an engine is told about the event broker: its login as one message, for it runs in another pod."""

from pathlib import Path

from studio.contract.model_service import EventBrokerLogin
from studio.events.connection import password, username
from studio.settings import EngineEventsSettings


def engine_login(settings: EngineEventsSettings) -> EventBrokerLogin:
    """The login with the contents of its files as they are now. Raises SettingsError, OSError."""
    broker = settings.broker
    sasl = bool(broker.sasl_mechanism)
    tls = broker.security_protocol.endswith("SSL")
    return EventBrokerLogin(
        servers=list(broker.servers),
        topic=settings.topic,
        security_protocol=broker.security_protocol,
        sasl_mechanism=broker.sasl_mechanism or None,
        username=username(broker) if sasl else None,
        password=password(broker) if sasl else None,
        ca=_text(broker.folder / "ca.crt") if tls else None,
        certificate=_text(broker.folder / "tls.crt") if tls else None,
        key=_text(broker.folder / "tls.key") if tls else None,
    )


def _text(file: Path) -> str | None:
    return file.read_text(encoding="ascii") if file.exists() else None
