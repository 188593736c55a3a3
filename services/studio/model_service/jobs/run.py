"""The Job of one attempt of a run: an engine that serves one model, and our helper beside it."""

from typing import Any

from studio.contract import labels
from studio.contract.labels import Component
from studio.contract.model_service import DesiredRunning
from studio.model_service.jobs import parts, scripts
from studio.model_service.jobs.parts import Attempt, Manifest, Site

HELPER, ENGINE = "run-helper", "engine"
# The process of the helper beside an engine that is warmed.
WARM_HELPER = "warm-helper"
# On the Job of an engine that is started before its model is there.
WARM = f"{labels.GROUP}/warm"
HELPER_PORT = 8090
_GRACE_SECONDS = 30
# Whoever ends the pod, a drained node say, requests still come until its endpoint has left the rules of all nodes. Only
# then is the engine told to end: Sanic stops listening at once and gives requests in flight 15 s. The grace period is
# longer than both.
_LEAVING_SECONDS = 5
# Rasa's default pool is 50 connections per engine; a conversation holds one for a few milliseconds.
_SQL_POOL = {"SQL_POOL_SIZE": "5", "SQL_MAX_OVERFLOW": "10"}
# A Service chooses for each connection, not for each message: a connection that is kept goes on to the engine before.
_ONE_MESSAGE_A_CONNECTION = {"SANIC_KEEP_ALIVE": "false"}


def run_job(desired: DesiredRunning, attempt: Attempt, site: Site, *, warm: bool = False) -> Manifest:
    """The Job of `attempt`. It has no deadline: a run ends when it is asked to, any other end is a loss.

    An engine that is `warm` is started without its model. Its pod is ready as soon as the model could go in, for no
    Service sends to it by then; that the model is in is told by its helper.
    """
    metadata = parts.metadata(desired, attempt, site, component=Component.RUN, item_label=labels.RUN)
    if warm:
        metadata["annotations"][WARM] = "true"
    pod = parts.pod_spec(
        desired.engine,
        site,
        component=Component.RUN,
        grace_seconds=_GRACE_SECONDS,
        initContainers=[_helper(desired, attempt, site, warm=warm)],
        containers=[_engine(desired, scripts.RUN_WARM if warm else scripts.RUN)],
        volumes=[*parts.volumes(engine="2Gi", tmp="4Gi"), *_channels(desired)],
    )
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": metadata["labels"]}, "spec": pod}},
    }


def _helper(desired: DesiredRunning, attempt: Attempt, site: Site, *, warm: bool) -> Manifest:
    mounts: list[Manifest] = [{"name": "engine", "mountPath": scripts.RUN_FOLDER}]
    if desired.credentials:
        mounts.append({"name": "channels", "mountPath": scripts.CHANNELS_FOLDER, "readOnly": True})
    return parts.helper(
        WARM_HELPER if warm else HELPER,
        attempt,
        site,
        mounts=mounts,
        name=HELPER,
        restartPolicy="Always",
        ports=[{"name": "helper", "containerPort": HELPER_PORT}],
        # The engine is started once this passes: token, endpoints and the verified model are in place.
        startupProbe=_probe("/started", HELPER_PORT, period=1, failures=900),
        # Users wait for this one after every swap. It has patience, for no other engine gets what this one does not:
        # out of its Service, messages fail that would only be late.
        readinessProbe=_probe("/ready", HELPER_PORT, period=1, failures=30),
    )


def _engine(desired: DesiredRunning, script: str) -> Manifest:
    return parts.engine(
        ENGINE,
        desired.engine,
        script,
        resources=dict(desired.engine.resources),
        mounts=[{"name": "engine", "mountPath": scripts.RUN_FOLDER, "readOnly": True}],
        env={"ENGINE_PORT": str(labels.ENGINE_PORT), **_SQL_POOL, **_ONE_MESSAGE_A_CONNECTION},
        ports=[{"name": "http", "containerPort": labels.ENGINE_PORT}],
        # Not by a shell, and not the `sleep` action of newer clusters. An image without `sleep` ends as it did before.
        lifecycle={"preStop": {"exec": {"command": ["sleep", str(_LEAVING_SECONDS)]}}},
        # `GET /` answers 200 as soon as the server listens. One second, for it also holds back the pod's readiness.
        startupProbe=_probe("/", labels.ENGINE_PORT, period=1, failures=900),
        # The event loop stands still for 30 s when TensorFlow loads a model: only two minutes of silence mean death.
        # Without this probe a frozen engine would be taken out of the Service but never replaced.
        livenessProbe=_probe("/", labels.ENGINE_PORT, period=15, failures=8, timeout=10),
    )


def _channels(desired: DesiredRunning) -> list[Manifest]:
    if not desired.credentials:
        return []
    items = [{"key": scripts.CHANNELS_KEY, "path": scripts.CHANNELS_KEY}]
    return [{"name": "channels", "secret": {"secretName": desired.credentials, "items": items, "defaultMode": 0o440}}]


def _probe(path: str, port: int, *, period: int, failures: int, timeout: int = 5) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }
