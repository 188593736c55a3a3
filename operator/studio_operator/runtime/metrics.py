"""Prometheus metrics of the runtime; names and meaning follow controller-runtime's where it has the same."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

DEPTH = Gauge("studio_operator_workqueue_depth", "Keys that wait for their turn, delayed ones included.")
LONGEST_RUNNING = Gauge("studio_operator_workqueue_longest_running_seconds", "Age of the oldest pass that runs now.")
ADDS = Counter("studio_operator_workqueue_adds_total", "Turns asked for, before they are folded.", ["kind"])
RETRIES = Counter("studio_operator_workqueue_retries_total", "Turns granted because the one before failed.", ["kind"])
RECONCILES = Counter(
    "studio_operator_reconcile_total", "Passes; result is success, requeue_after or error.", ["kind", "result"]
)
RECONCILE_SECONDS = Histogram(
    "studio_operator_reconcile_seconds",
    "Seconds per pass.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
STORE_OBJECTS = Gauge("studio_operator_store_objects", "Objects held in memory.", ["kind"])
STORE_CORRECTIONS = Counter(
    "studio_operator_store_corrections_total",
    "Objects that a list found to differ from what the watch had told.",
    ["kind"],
)
SLOW_PASSES = Counter("studio_operator_slow_passes_total", "Slow passes over all lists.", ["result"])
LEADER = Gauge("studio_operator_leader", "1 while this process holds the Lease.")
EVENTS = Counter("studio_operator_events_total", "Kubernetes events by what became of them.", ["result"])
STREAMS = Gauge("studio_operator_change_streams", "Open change streams of orchestrators.")
MODEL_SERVICE_REQUESTS = Counter(
    "studio_operator_model_service_requests_total",
    "Calls of orchestrators; code 0 is a call without an answer.",
    ["component", "call", "code"],
)
MODEL_SERVICE_SECONDS = Histogram(
    "studio_operator_model_service_request_seconds",
    "Seconds per call of an orchestrator.",
    ["component", "call"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
IDENTITY_REQUESTS = Counter(
    "studio_operator_identity_requests_total",
    "Calls of Keycloak's admin API; code 0 is a call without an answer.",
    ["call", "code"],
)
IDENTITY_SECONDS = Histogram(
    "studio_operator_identity_request_seconds",
    "Seconds per call of Keycloak's admin API.",
    ["call"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def follow_queue(depth: Callable[[], float], longest_running: Callable[[], float]) -> None:
    """Read the gauges of the work queue from it when they are scraped."""
    DEPTH.set_function(depth)
    LONGEST_RUNNING.set_function(longest_running)
