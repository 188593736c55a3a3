"""The operator's configuration: the environment of its process."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from studio_operator import __version__
from studio_operator.clients.studio_http import URL_TEMPLATE
from studio_operator.images import Images

SERVICE_ACCOUNT = "studio-operator"
TOKEN_FILE = Path("/var/run/secrets/studio-operator.io/token")
_NAMESPACE = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Config:
    """See docs: every field is one environment variable of the same name in capitals, but for `images`.

    `watch_namespaces` empty means the whole cluster. `model_service_token_file` is None when the variable is empty:
    no token is sent then, which only tests want.
    """

    images: Images
    watch_namespaces: tuple[str, ...]
    operator_namespace: str
    pod_name: str
    log_level: str
    version: str
    auto_create_studio: bool
    resync_seconds: float
    workers: int
    http_port: int
    model_service_token_file: Path | None
    model_service_url_template: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables. Raises ValueError with one sentence that names the variable and what it may be."""
        token_file = environment.get("MODEL_SERVICE_TOKEN_FILE", str(TOKEN_FILE))
        return cls(
            images=Images.from_environment(environment),
            watch_namespaces=_namespaces(environment.get("WATCH_NAMESPACES", "")),
            operator_namespace=environment.get("OPERATOR_NAMESPACE") or "studio-operator-system",
            pod_name=environment.get("POD_NAME") or socket.gethostname(),
            log_level=_log_level(environment.get("LOG_LEVEL") or "INFO"),
            version=environment.get("VERSION") or __version__,
            auto_create_studio=_flag(environment, "AUTO_CREATE_STUDIO", default=True),
            resync_seconds=_number(environment, "RESYNC_SECONDS", default=300, least=10),
            workers=int(_number(environment, "WORKERS", default=8, least=1)),
            http_port=int(_number(environment, "HTTP_PORT", default=8080, least=0)),
            model_service_token_file=Path(token_file) if token_file else None,
            model_service_url_template=_template(environment.get("MODEL_SERVICE_URL_TEMPLATE") or URL_TEMPLATE),
        )

    @property
    def own_namespaces(self) -> tuple[str, ...]:
        """Those that are named to the operator: it serves them and no others, or it lives there."""
        return tuple(dict.fromkeys((*self.watch_namespaces, self.operator_namespace)))

    @property
    def subject(self) -> str:
        """Who the operator is to the orchestrators: the `sub` of its projected token."""
        return f"system:serviceaccount:{self.operator_namespace}:{SERVICE_ACCOUNT}"

    @property
    def user_agent(self) -> str:
        """Who the operator is in the logs of the API server."""
        return f"studio-operator/{self.version}"


def _namespaces(value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    for name in names:
        if not _NAMESPACE.match(name):
            raise ValueError(
                f"WATCH_NAMESPACES: {name!r} is not a namespace: give names separated by commas, or nothing"
            )
    return names


def _log_level(value: str) -> str:
    if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError(f"LOG_LEVEL: {value!r} must be DEBUG, INFO, WARNING or ERROR")
    return value.upper()


def _flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environment.get(name, "").strip().lower()
    if value and value not in _TRUE | _FALSE:
        raise ValueError(f"{name}: {value!r} must be true or false")
    return value in _TRUE if value else default


def _number(environment: Mapping[str, str], name: str, *, default: float, least: float) -> float:
    value = environment.get(name, "").strip()
    try:
        number = float(value) if value else default
    except ValueError:
        number = least - 1
    if not number >= least:
        raise ValueError(f"{name}: {value!r} must be a number of at least {least:g}")
    return number


def _template(value: str) -> str:
    try:
        value.format(studio="", component="", namespace="")
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"MODEL_SERVICE_URL_TEMPLATE: {value!r} may use {{studio}}, {{component}} and {{namespace}} only"
        ) from error
    return value
