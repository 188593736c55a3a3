"""The façade. Nothing else in the operator or the services speaks to the API server."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.rest import RESTClientObject

from studio.kube import connection, metrics
from studio.kube.errors import Conflict, Gone, KubeError, NotFound, TooManyRequests, Unavailable, from_status
from studio.kube.kinds import POD, Kind, Manifest, Manifests, kind_of
from studio.kube.stream import Reader, decode_events, read_all, read_end

PAGE = 500
REQUEST_SECONDS = 10.0
ATTEMPTS = 4
FIRST_BACKOFF_SECONDS = 0.2
LONGEST_WORDS = 500  # characters
LONGEST_RETRY_AFTER_SECONDS = 10.0
# The API server sends a bookmark about once a minute, so a stream that is silent for longer is dead.
SILENCE_SECONDS = 90.0

_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Kube:
    """The API server. All methods raise subclasses of `KubeError`; objects are plain dicts with apiVersion and kind.

    Reads are retried with back-off when the server is unavailable; every call is retried, as often as told and not
    longer than 10 s a time, when the server asks for it with 429. Writes are never repeated after an unknown outcome:
    that is the caller's next pass.
    """

    def __init__(self, host: str, rest: RESTClientObject) -> None:
        self._host = host.rstrip("/")
        self._rest = rest

    @classmethod
    async def connect(cls, *, user_agent: str) -> Self:
        """Connect with KUBECONFIG, or as the pod's service account. Sends nothing yet. Raises Unavailable."""
        configuration = await connection.load_configuration()
        return cls(configuration.host, connection.rest_client(configuration, user_agent=user_agent))

    async def close(self) -> None:
        """Close all connections."""
        await self._rest.close()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Manifest | None:
        """One object, or None when it (or its kind) does not exist."""
        try:
            return await self._json("GET", "get", kind, kind.path(namespace, name))
        except NotFound:
            return None

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
    ) -> Manifests:
        """All objects of a namespace (None: of all namespaces) that match the label and field selectors."""
        items, _ = await self.list_with_version(
            kind, namespace, labels=labels, fields=fields, metadata_only=metadata_only
        )
        return items

    async def list_with_version(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
    ) -> tuple[Manifests, str]:
        """Like `list`, with the resourceVersion of the whole list, where a watch may go on.

        With `metadata_only` the server sends apiVersion, kind and metadata, whatever the size of the objects.
        """
        query = _selectors(labels, fields) | {"limit": str(PAGE)}
        accept = _METADATA_LIST if metadata_only else _JSON
        items: Manifests = []
        while True:
            try:
                page = await self._json("GET", "list", kind, kind.path(namespace), query=query, accept=accept)
            except Gone:
                if "continue" not in query:
                    raise
                del query["continue"]
                items = []
                continue
            items += (item | {"apiVersion": kind.api_version, "kind": kind.kind} for item in page.get("items") or [])
            metadata = page.get("metadata", {})
            if not metadata.get("continue"):
                return items, metadata.get("resourceVersion", "")
            query["continue"] = metadata["continue"]

    async def create(self, kind: Kind, body: Manifest) -> Manifest:
        """Create an object. Raises AlreadyExists."""
        path = kind.path(body["metadata"].get("namespace"))
        return await self._json("POST", "create", kind, path, body=body)

    async def apply(self, body: Manifest, *, field_manager: str, force: bool = True) -> Manifest:
        """Server-side apply. Raises Conflict when not forced and another manager owns a field."""
        return await self._apply(body, None, field_manager, force=force)

    async def apply_status(self, body: Manifest, *, field_manager: str) -> Manifest:
        """Server-side apply of the status subresource; `body` needs apiVersion, kind, metadata and status."""
        return await self._apply(body, "status", field_manager, force=True)

    async def patch(
        self, kind: Kind, namespace: str | None, name: str, patch: Manifest, *, resource_version: str | None = None
    ) -> Manifest:
        """Merge patch (null deletes, lists are replaced). With a resource_version a compare-and-swap: Conflict."""
        body = dict(patch)
        if resource_version is not None:
            body["metadata"] = dict(patch.get("metadata") or {}, resourceVersion=resource_version)
        path = kind.path(namespace, name)
        return await self._json("PATCH", "patch", kind, path, body=body, content_type=_MERGE_PATCH)

    async def replace(self, kind: Kind, body: Manifest) -> Manifest:
        """Replace an object whose resourceVersion is still the body's. Raises Conflict, NotFound."""
        metadata = body["metadata"]
        path = kind.path(metadata.get("namespace"), metadata["name"])
        return await self._json("PUT", "update", kind, path, body=body)

    async def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None, propagation: str = "Background"
    ) -> bool:
        """Delete an object, with `uid` only that very one. False when it is not there (any more). Raises Conflict."""
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._json("DELETE", "delete", kind, kind.path(namespace, name), body=options)
        except NotFound:
            return False
        except Conflict:
            if uid is None:
                raise
            # Mostly another object has that name now; but a server may also be at odds with itself for a moment.
            live = await self.get(kind, namespace, name)
            if live is not None and live["metadata"]["uid"] == uid:
                raise
            return False
        return True

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        last_bytes: int,
        last_lines: int | None = None,
    ) -> str:
        """The end of what a container wrote; undecodable bytes are replaced. Raises NotFound, Invalid (not started).

        The server's own limit of bytes keeps the beginning of what it is asked for, so the end is kept here.
        """
        query = {"container": container} | ({} if last_lines is None else {"tailLines": str(last_lines)})
        read = partial(read_end, size=last_bytes)
        path = POD.path(namespace, pod, "log")
        data = await self._request("GET", "logs", POD, path, read=read, query=query, accept="*/*")
        return data.decode(errors="replace")

    async def follow_logs(
        self, namespace: str, pod: str, container: str, *, silence_seconds: float = 3600
    ) -> AsyncIterator[bytes]:
        """What a container wrote and writes, in pieces that end anywhere, until it ends.

        Raises NotFound, Invalid (not started), Unavailable when the stream breaks or is silent for too long.
        """
        query = {"container": container, "follow": "true"}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=silence_seconds)
        path = POD.path(namespace, pod, "log")
        response = await self._send("GET", "logs", POD, path, query=query, accept="*/*", timeout=timeout)
        try:
            async for piece in response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(0, "StreamBroken", f"the log of {pod} broke: {_words(error)}") from error
        finally:
            response.close()

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str | None = None,
        timeout_seconds: float = 300,
    ) -> AsyncIterator[tuple[str, Manifest]]:
        """Changes as (ADDED | MODIFIED | DELETED | BOOKMARK, object) until the server ends the stream in good order.

        Without a resource_version it begins with the present objects as ADDED. A bookmark carries nothing but a
        resourceVersion to go on from. Raises Gone when the resource_version is too old (list again), Unavailable when
        the stream breaks or falls silent.
        """
        query = _selectors(labels, fields)
        query |= {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(int(timeout_seconds))}
        if resource_version is not None:
            query["resourceVersion"] = resource_version
        timeout = aiohttp.ClientTimeout(total=timeout_seconds + SILENCE_SECONDS, sock_read=SILENCE_SECONDS)
        response = await self._send("GET", "watch", kind, kind.path(namespace), query=query, timeout=timeout)
        try:
            async for event, manifest in decode_events(response.content.iter_any()):
                yield event, manifest
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(0, "StreamBroken", f"the watch of {kind.plural} broke: {_words(error)}") from error
        finally:
            response.close()

    async def raw_get(self, path: str) -> bytes:
        """The body of any path of the API server, such as /openid/v1/jwks."""
        return await self._request("GET", "get", None, path, accept="*/*")

    async def _apply(self, body: Manifest, subresource: str | None, field_manager: str, *, force: bool) -> Manifest:
        kind = kind_of(body)
        path = kind.path(body["metadata"].get("namespace"), body["metadata"]["name"], subresource)
        query = {"fieldManager": field_manager, "force": "true" if force else "false"}
        return await self._json("PATCH", "apply", kind, path, query=query, body=body, content_type=_APPLY_PATCH)

    async def _json(self, method: str, verb: str, kind: Kind, path: str, **request: Any) -> Manifest:
        data = await self._request(method, verb, kind, path, **request)
        answer: Manifest = json.loads(data)
        return answer

    async def _request(
        self, method: str, verb: str, kind: Kind | None, path: str, *, read: Reader = read_all, **request: Any
    ) -> bytes:
        """Send and read, again when that is safe and there is hope."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = await self._send(method, verb, kind, path, **request)
                async with response:
                    return await _read(response, read, f"{verb} {kind.kind if kind else path}")
            except TooManyRequests as error:
                if attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(min(error.retry_after, LONGEST_RETRY_AFTER_SECONDS) + _jitter(attempt))
            except Unavailable:
                if attempt == ATTEMPTS or method != "GET":
                    raise
                await asyncio.sleep(_jitter(attempt))
        raise AssertionError("the loop returns or raises")

    async def _send(
        self,
        method: str,
        verb: str,
        kind: Kind | None,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 the session's own kind of time-out
    ) -> aiohttp.ClientResponse:
        """One request; the answer is open when its status is good, else it has been read into the raised error."""
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        name = kind.kind if kind else ""
        started = time.monotonic()
        try:
            wrapped = await self._rest.request(  # type: ignore[no-untyped-call]
                method,
                url,
                headers={"Accept": accept, "Content-Type": content_type},
                body=body,
                _request_timeout=timeout or aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            )
            response: aiohttp.ClientResponse = wrapped.response
            if response.status >= 400:  # noqa: PLR2004
                async with response:
                    raise await _error(response)
        except KubeError as error:
            metrics.REQUESTS.labels(verb, name, str(error.status)).inc()
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            metrics.REQUESTS.labels(verb, name, "0").inc()
            raise Unavailable(0, "Unreachable", f"{verb} {name or path}: {_words(error)}") from error
        finally:
            metrics.LATENCY.labels(verb, name).observe(time.monotonic() - started)
        metrics.REQUESTS.labels(verb, name, str(response.status)).inc()
        return response


async def _read(response: aiohttp.ClientResponse, read: Reader, what: str) -> bytes:
    try:
        return await read(response.content)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(0, "AnswerBroken", f"{what}: {_words(error)}") from error


async def _error(response: aiohttp.ClientResponse) -> KubeError:
    data = await response.read()
    try:
        body = json.loads(data)
    except ValueError:
        # Whoever sheds load says so in plain words.
        words = data.decode(errors="replace").strip()[:LONGEST_WORDS]
        body = {"message": f"the API server answered {response.status}: {words}"} if words else {}
    try:
        retry_after = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        retry_after = None
    return from_status(response.status, body if isinstance(body, dict) else {}, retry_after=retry_after)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _selectors(labels: str, fields: str) -> dict[str, str]:
    return {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}


def _jitter(attempt: int) -> float:
    steady: float = FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1)
    return random.uniform(0.5, 1.5) * steady  # noqa: S311 not a secret
