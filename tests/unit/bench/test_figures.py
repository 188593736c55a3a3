from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measuring.figures import cpu_request, differences, end_state, percentile, requests_by_kind, writes_by_resource


def container(cpu: str | None = None, **rest: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}} if cpu else {}, **rest}


@pytest.mark.parametrize(
    ("init", "main", "cores"),
    [
        ([], [container("200m"), container()], "0.2"),
        ([container("500m")], [container("200m")], "0.5"),
        # A native sidecar lasts: it is added to what runs beside it, and to the init containers after it.
        ([container("10m", restartPolicy="Always")], [container("200m")], "0.21"),
        ([container("10m", restartPolicy="Always"), container("1")], [container("200m")], "1.01"),
        ([container("1"), container("10m", restartPolicy="Always")], [container("200m")], "1"),
    ],
)
def test_the_request_of_a_pod_is_that_of_the_scheduler(init: list[Any], main: list[Any], cores: str) -> None:
    assert cpu_request({"spec": {"initContainers": init, "containers": main}}) == Decimal(cores)


METRICS = """\
# HELP studio_kube_requests_total Requests
studio_kube_requests_total{code="200",kind="Pod",verb="list"} 4.0
studio_kube_requests_total{code="200",kind="Pod",verb="watch"} 2.0
studio_kube_requests_total{code="200",kind="Lease",verb="update"} 60.0
studio_kube_requests_total{code="201",kind="Job",verb="create"} 1.0
studio_kube_requests_total{code="409",kind="Job",verb="create"} 2.0
studio_kube_requests_created{code="409",kind="Job",verb="create"} 1.7e9
other_total{verb="create",kind="Job"} 5.0
"""


def test_requests_are_sorted_into_reads_writes_and_the_lease() -> None:
    assert requests_by_kind(METRICS) == {
        ("read", "list Pod"): 4,
        ("read", "watch Pod"): 2,
        ("lease", "update Lease"): 60,
        ("write", "create Job"): 3,
    }


def test_no_metrics_are_no_requests() -> None:
    assert not requests_by_kind("")


API_SERVER = """\
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="apps",resource="deployments",subresource="status",verb="PUT"} 3
apiserver_request_total{code="200",group="apps",resource="deployments",verb="APPLY"} 2e+00
apiserver_request_total{code="200",group="",resource="configmaps",verb="PATCH"} 4
apiserver_request_total{code="200",group="",resource="configmaps",verb="WATCH"} 9
apiserver_request_total{code="200",group="coordination.k8s.io",resource="leases",verb="PUT"} 7
apiserver_request_total{code="200",group="events.k8s.io",resource="events",verb="POST"} 7
apiserver_request_duration_seconds_count{group="",resource="pods",verb="POST"} 7
"""


def test_writes_of_everybody_are_counted_by_resource_without_housekeeping() -> None:
    assert writes_by_resource(API_SERVER) == {"deployments.apps": 5, "configmaps": 4}


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=50))
def test_a_percentile_is_one_of_the_values(values: list[float]) -> None:
    assert percentile(values, 1) == max(values)
    assert percentile(values, 0) == min(values)
    assert percentile(values, 0.99) in values


def test_the_99th_percentile_of_forty_is_the_largest() -> None:
    assert percentile([float(n) for n in range(40)], 0.99) == 39


def item(kind: str, name: str, api: str = "batch/v1", **rest: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **rest}


def test_the_end_state_is_blind_for_ids() -> None:
    one = [item("Job", "hall-r1-0a1b2-1"), item("Job", "studio-migration-0123abcd"), item("Service", "hall", "v1")]
    two = [item("Service", "hall", "v1"), item("Job", "hall-r1-ffff0-1"), item("Job", "studio-migration-89abcdef")]
    assert end_state(one) == end_state(two)


def assistant(status: str, *, model: str = "1") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": status, "reason": "Ready"}]
    found = {"conditions": conditions, "model": {"version": model}}
    return item("Assistant", "hall", "studio-operator.io/v1alpha1", status=found)


def test_the_end_state_sees_what_matters() -> None:
    once = [item("Job", "hall-r1-0a1b2-1")]
    assert end_state(once) != end_state(once * 2)
    assert end_state([assistant("True")]) != end_state([assistant("False")])
    scaled = [item("Deployment", "d", "apps/v1", spec={"replicas": replicas}) for replicas in (1, 2)]
    assert end_state(scaled[:1]) != end_state(scaled[1:])


def test_the_end_state_sees_a_second_training() -> None:
    assert end_state([assistant("True", model="1")]) != end_state([assistant("True", model="2")])


def test_an_assistant_without_a_status_has_an_end_state() -> None:
    assert end_state([item("Assistant", "hall", "studio-operator.io/v1alpha1")]) != end_state([assistant("True")])


def test_the_job_of_a_training_is_no_end_state() -> None:
    training = item("Job", "hall-t1-0a1b2-1")
    training["metadata"]["labels"] = {"app.kubernetes.io/component": "training"}
    assert end_state([training]) == []


def test_differences_say_what_is_missing_and_what_is_too_much() -> None:
    assert differences(["a", "a", "b"], ["a", "b", "c"]) == ["- a", "+ c"]
    assert differences(["a"], ["a"]) == []
