"""Models of tests."""

from datetime import UTC, datetime

from tests.unit.services.orchestrators.world import UID, fingerprint

from studio.model_service.orchestrators.registry import Model


def model(version: int, content: str = "a", image: str = "engine:1") -> Model:
    return Model(
        uid=UID, version=version, fingerprint=fingerprint(content), sha256=f"{version:064x}", size=10,
        members=["m"], object_key=f"models/{version}", engine_image=image, training="t",
        trained_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
