"""Which files of an assistant's content a model is trained from; paths are relative, with `/` between folders."""

from pathlib import PurePosixPath

# The engine gets its own; what people mean by these they say in the Assistant.
ENDPOINTS = frozenset({"endpoints.yml", "endpoints.yaml"})
CREDENTIALS = frozenset({"credentials.yml", "credentials.yaml"})


def is_trained(path: str) -> bool:
    """Whether a model depends on the file: tests are for after the training, and some files are never used."""
    return not _is_test(path) and path not in ENDPOINTS | CREDENTIALS


def _is_test(path: str) -> bool:
    return path.startswith("tests/") or PurePosixPath(path).name.startswith("test_")
