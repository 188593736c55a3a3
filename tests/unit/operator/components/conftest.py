"""Contexts to build components for."""

from collections.abc import Callable
from typing import Any

import pytest

from studio_operator.api.v1alpha1.assistant import AssistantSpec
from studio_operator.api.v1alpha1.studio import StudioSpec
from studio_operator.components.context import AssistantContext, StudioContext
from studio_operator.images import Images

IMAGES = Images(
    operator="registry.example.com/studio/operator:1",
    services="registry.example.com/studio/services:1",
    engine="registry.example.com/studio/engine:1",
    database="registry.example.com/studio/database:1",
    object_store="registry.example.com/studio/object-store:1",
    event_broker="registry.example.com/studio/event-broker:1",
    keycloak="registry.example.com/studio/keycloak:1",
    web_client="registry.example.com/studio/web-client:1",
    entry_proxy="registry.example.com/studio/entry-proxy:1",
)

StudioFactory = Callable[..., StudioContext]
AssistantFactory = Callable[..., AssistantContext]


def default_studio(spec: dict[str, Any] | None = None, *, name: str = "studio", **changes: Any) -> StudioContext:
    """A Studio context from a spec in JSON form."""
    known: dict[str, Any] = {
        "name": name,
        "namespace": "bots",
        "uid": "5d9b2d3c-0000-4000-8000-000000000001",
        "spec": StudioSpec.model_validate(spec or {}),
        "version": "0.1.0",
        "images": IMAGES,
        "operator_subject": "system:serviceaccount:studio-operator:studio-operator",
        "running_slots": 2,
        "training_consumers": 1,
        "secret_digests": {f"{name}-database-roles": "abc"},
    }
    return StudioContext(**(known | changes))


@pytest.fixture
def studio() -> StudioFactory:
    """Makes Studio contexts."""
    return default_studio


@pytest.fixture
def assistant() -> AssistantFactory:
    """Makes an Assistant context from a spec in JSON form, without its source."""

    def make(spec: dict[str, Any] | None = None, *, name: str = "concierge", **changes: Any) -> AssistantContext:
        source = {"source": {"configMaps": [{"name": "content"}]}}
        known: dict[str, Any] = {
            "name": name,
            "namespace": "bots",
            "uid": "5d9b2d3c-0000-4000-8000-000000000002",
            "spec": AssistantSpec.model_validate(source | (spec or {})),
            "studio_name": "studio",
            "version": "0.1.0",
            "images": IMAGES,
        }
        return AssistantContext(**(known | changes))

    return make
