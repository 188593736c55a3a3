"""Which images the operator uses, and what a Studio changes about them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from studio_operator.api.v1alpha1.studio import StudioImages

_ENVIRONMENT = {
    "operator": "RELATED_IMAGE_OPERATOR",
    "services": "RELATED_IMAGE_SERVICES",
    "engine": "RELATED_IMAGE_ENGINE",
    "database": "RELATED_IMAGE_DATABASE",
    "object_store": "RELATED_IMAGE_OBJECT_STORE",
    "event_broker": "RELATED_IMAGE_EVENT_BROKER",
    "keycloak": "RELATED_IMAGE_KEYCLOAK",
    "web_client": "RELATED_IMAGE_WEB_CLIENT",
    "entry_proxy": "RELATED_IMAGE_ENTRY_PROXY",
}
_OPTIONAL = {"operator"}


@dataclass(frozen=True)
class Images:
    """Full image references, and how they are pulled (`pull_secrets`: names of Secrets in the Studio's namespace)."""

    operator: str
    services: str
    engine: str
    database: str
    object_store: str
    event_broker: str
    keycloak: str
    web_client: str
    entry_proxy: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The images named by RELATED_IMAGE_* variables. Raises ValueError that names the ones that are missing."""
        missing = [
            variable
            for field, variable in _ENVIRONMENT.items()
            if field not in _OPTIONAL and not environment.get(variable)
        ]
        if missing:
            raise ValueError(f"set {', '.join(missing)} to the images that Studios are made of")
        found: dict[str, Any] = {field: environment.get(variable, "") for field, variable in _ENVIRONMENT.items()}
        return cls(**found)

    def overridden(self, images: StudioImages) -> "Images":
        """These images as a Studio wants them: from its registry, with its pull policy and secrets."""
        moved: dict[str, Any] = {field: _moved(getattr(self, field), images.registry) for field in _ENVIRONMENT}
        return replace(
            self,
            **moved,
            pull_policy=images.pull_policy,
            pull_secrets=tuple(secret.name for secret in images.pull_secrets),
        )


def _moved(image: str, registry: str | None) -> str:
    """The reference with its registry replaced; one without a registry gets it in front."""
    if not registry or not image:
        return image
    first, slash, rest = image.partition("/")
    has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return f"{registry}/{rest if has_registry else image}"
