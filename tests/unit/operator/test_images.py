"""Image references from the environment, and the overrides of a Studio."""

import pytest

from studio_operator.api.v1alpha1.studio import StudioImages
from studio_operator.images import Images

ENVIRONMENT = {
    "RELATED_IMAGE_SERVICES": "registry.example.com/studio/services:1",
    "RELATED_IMAGE_ENGINE": "localhost/engine@sha256:00",
    "RELATED_IMAGE_DATABASE": "team/database:1",
    "RELATED_IMAGE_OBJECT_STORE": "object-store",
    "RELATED_IMAGE_EVENT_BROKER": "event-broker:1",
    "RELATED_IMAGE_KEYCLOAK": "keycloak:1",
    "RELATED_IMAGE_WEB_CLIENT": "web-client:1",
    "RELATED_IMAGE_ENTRY_PROXY": "entry-proxy:1",
}


def test_missing_variables_are_named() -> None:
    with pytest.raises(ValueError, match="set RELATED_IMAGE_ENGINE to"):
        Images.from_environment({name: ref for name, ref in ENVIRONMENT.items() if "ENGINE" not in name})


def test_a_studio_without_overrides_changes_nothing() -> None:
    images = Images.from_environment(ENVIRONMENT)
    assert images.overridden(StudioImages()) == images


def test_the_registry_of_every_image_is_replaced() -> None:
    images = Images.from_environment(ENVIRONMENT).overridden(
        StudioImages.model_validate(
            {"registry": "mirror:5000/all", "pullPolicy": "Always", "pullSecrets": [{"name": "mirror"}]}
        )
    )
    assert images == Images(
        operator="",
        services="mirror:5000/all/studio/services:1",
        engine="mirror:5000/all/engine@sha256:00",
        database="mirror:5000/all/team/database:1",
        object_store="mirror:5000/all/object-store",
        event_broker="mirror:5000/all/event-broker:1",
        keycloak="mirror:5000/all/keycloak:1",
        web_client="mirror:5000/all/web-client:1",
        entry_proxy="mirror:5000/all/entry-proxy:1",
        pull_policy="Always",
        pull_secrets=("mirror",),
    )
