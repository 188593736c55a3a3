"""Where objects are kept in the store. Pure."""

from studio.model_service.items import Item


def content(uid: str, fingerprint: str, sha256: str) -> str:
    """Content of an assistant; the digest keeps a second packing of the same content apart."""
    return f"contents/{uid}/{fingerprint}-{sha256[:16]}.tar.gz"


def model(item: Item, attempt: int) -> str:
    """The model that an attempt of a training uploads."""
    return f"models/{item.uid}/{item.id}-{attempt}.tar.gz"


def engine_log(item: Item, attempt: int) -> str:
    """The engine's log as a training's helper uploads it, beside its model."""
    return f"logs/{item.uid}/{item.id}-{attempt}.txt"


def archived_log(item: Item, attempt: int) -> str:
    """The log of a pod as a consumer archives it."""
    return f"logs/{item.uid}/{item.id}-{attempt}-pod.txt"
