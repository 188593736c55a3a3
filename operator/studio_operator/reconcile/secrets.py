"""Secrets: generated ones are created once and never overwritten, those that people bring are checked for their keys.

They are read by name only.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable

from studio.kube import SECRET, Manifest
from studio.kube.errors import AlreadyExists
from studio_operator.components.secrets import GeneratedSecret, ReferencedSecret
from studio_operator.ports import Cluster


class SecretProblem(Exception):
    """A Secret cannot be used: `reason` for the condition. It may be mended without a new spec."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def ensure(cluster: Cluster, namespace: str, wanted: Iterable[GeneratedSecret]) -> dict[str, str]:
    """Create what is missing; returns {name: digest of the data}, so that a changed Secret rolls its readers.

    Raises SecretProblem when one that exists lacks a key.
    """
    return {secret.name: await _ensure_one(cluster, namespace, secret) for secret in wanted}


async def check(cluster: Cluster, namespace: str, wanted: Iterable[ReferencedSecret]) -> dict[str, str]:
    """The digests of Secrets that people bring. Raises SecretProblem when one, or a key of it, is missing."""
    return {secret.name: await _check_one(cluster, namespace, secret) for secret in wanted}


async def _ensure_one(cluster: Cluster, namespace: str, wanted: GeneratedSecret) -> str:
    live = await cluster.get(SECRET, namespace, wanted.name)
    if live is None:
        try:
            live = await cluster.create(_generated(wanted))
        except AlreadyExists:
            live = await cluster.get(SECRET, namespace, wanted.name) or {}
    _require_keys(live, wanted.name, [*wanted.keys, *wanted.known], f"Secret {wanted.name}")
    return digest(live)


async def _check_one(cluster: Cluster, namespace: str, wanted: ReferencedSecret) -> str:
    live = await cluster.get(SECRET, namespace, wanted.name)
    if live is None:
        raise SecretProblem(
            "SecretMissing",
            f"{wanted.path}: there is no Secret {wanted.name} in this namespace: create it with {_listed(wanted.keys)}",
        )
    _require_keys(live, wanted.name, wanted.keys, wanted.path)
    return digest(live)


def _require_keys(live: Manifest, name: str, keys: Iterable[str], where: str) -> None:
    missing = sorted(set(keys) - set(live.get("data") or {}))
    if missing:
        raise SecretProblem("SecretKeyMissing", f"{where}: Secret {name} lacks {_listed(missing)}: add what is missing")


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(f"the key {key}" for key in keys)


def digest(secret: Manifest) -> str:
    """A digest of a Secret's data, which is too long and too random to be guessed from it."""
    data = secret.get("data") or {}
    return hashlib.sha256("\n".join(f"{key}={data[key]}" for key in sorted(data)).encode()).hexdigest()[:16]


def _generated(wanted: GeneratedSecret) -> Manifest:
    values = {key: secrets.token_hex(size) for key, size in wanted.keys.items()} | dict(wanted.known)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": wanted.metadata,
        "type": "Opaque",
        "data": {key: base64.b64encode(values[key].encode()).decode() for key in sorted(values)},
    }
