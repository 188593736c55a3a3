"""Which files of an assistant's content a model is trained from."""

import pytest

from studio.contract.content import is_trained


@pytest.mark.parametrize(
    "path", ["config.yml", "domain.yml", "domain/test.yml", "data/tests/a.yml", "data/endpoints.yml", "testing/a.yml"]
)
def test_what_is_trained(path: str) -> None:
    assert is_trained(path)


@pytest.mark.parametrize(
    "path",
    ["test_a.yml", "data/test_a.yml", "tests/a.yml", "tests/deep/a.yml"]
    + [f"{stem}.{ending}" for stem in ("endpoints", "credentials") for ending in ("yml", "yaml")],
)
def test_what_is_not(path: str) -> None:
    assert not is_trained(path)
