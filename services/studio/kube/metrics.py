"""Prometheus metrics of the calls to the API server."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "studio_kube_requests_total",
    "Requests to the Kubernetes API server; code 0 is a request without an answer.",
    ["verb", "kind", "code"],
)
LATENCY = Histogram(
    "studio_kube_request_seconds",
    "Seconds until the API server's answer was read; for a watch, until its stream was open.",
    ["verb", "kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
