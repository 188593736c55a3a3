"""The tiny model in the engine image: it is where a warm engine looks for it, and it needs no TensorFlow."""

from pathlib import Path, PurePosixPath

import yaml

from studio.model_service.jobs import scripts
from studio.model_service.orchestrators.running.warming import needs_tensorflow

ENGINE = Path(__file__).parents[3] / "images" / "engine"


def test_the_image_keeps_it_where_a_warm_engine_looks() -> None:
    recipe = (ENGINE / "Containerfile").read_text()
    place = PurePosixPath(scripts.IMAGE_MODEL)
    assert f"--out {place.parent}" in recipe
    assert f"--fixed-model-name {place.name.removesuffix('.tar.gz')}" in recipe
    assert f"chmod 644 {place}" in recipe


def test_it_needs_no_tensorflow_and_has_one_response() -> None:
    config = yaml.safe_load((ENGINE / "warm/config.yml").read_text())
    assert not needs_tensorflow(component["name"] for component in config["pipeline"] + config["policies"])
    assert len(yaml.safe_load((ENGINE / "warm/domain.yml").read_text())["responses"]) == 1
