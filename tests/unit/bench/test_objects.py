"""Objects of a cluster by the names that people use, from a server that answers as an API server does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import yaml

from cluster.errors import ClusterError
from stage.objects import Objects


def resource(plural: str, kind: str, *short: str, scope: str = "Namespaced") -> dict[str, Any]:
    return {"resource": plural, "singularResource": kind.lower(), "shortNames": list(short), "scope": scope}


def group(name: str, *resources: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name} if name else {}, "versions": [{"version": "v1", "resources": list(resources)}]}


class Server(BaseHTTPRequestHandler):
    """Answers what is in `answers`, remembers what it was asked."""

    answers: ClassVar[dict[str, Any]]
    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        answer = self.answers.get(self.path, 404)
        body = json.dumps({} if isinstance(answer, int) else answer).encode()
        self.send_response(answer if isinstance(answer, int) else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[str]:
    Server.asked = []
    events = resource("events", "Event")
    namespaces = resource("namespaces", "Namespace", "ns", scope="Cluster")
    others = [group("batch", resource("jobs", "Job")), group("events.k8s.io", events)]
    Server.answers = {
        "/api": {"items": [group("", resource("pods", "Pod", "po"), events, namespaces)]},
        "/apis": {"items": others},
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    yield str(path)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("called", ["pod", "pods", "po", "Pod"])
def test_a_kind_has_many_names(kubeconfig: str, called: str) -> None:
    Server.answers["/api/v1/namespaces/here/pods/a"] = {"kind": "Pod"}
    assert Objects(kubeconfig).get(called, "a", "here") == {"kind": "Pod"}


def test_of_two_kinds_with_one_name_it_is_that_of_the_core(kubeconfig: str) -> None:
    Server.answers["/api/v1/namespaces/here/events/a"] = {"kind": "Event"}
    objects = Objects(kubeconfig)
    assert objects.get("events", "a", "here") == {"kind": "Event"}
    assert objects.get("events.events.k8s.io", "a", "here") is None


def test_what_belongs_to_no_namespace_is_not_looked_for_in_one(kubeconfig: str) -> None:
    Server.answers["/api/v1/namespaces/here"] = {"kind": "Namespace"}
    assert Objects(kubeconfig).get("namespace", "here", "elsewhere") == {"kind": "Namespace"}


def test_lists_of_several_kinds_are_one_list_and_each_object_says_its_kind(kubeconfig: str) -> None:
    chosen = "?labelSelector=a%3Db&fieldSelector=c%3Dd"
    jobs = {"apiVersion": "batch/v1", "kind": "JobList", "items": [{"metadata": {"name": "j"}}]}
    Server.answers["/api/v1/namespaces/here/pods" + chosen] = {"apiVersion": "v1", "kind": "PodList", "items": None}
    Server.answers["/apis/batch/v1/namespaces/here/jobs" + chosen] = jobs
    found = Objects(kubeconfig).list("pods,jobs", "here", labels="a=b", fields="c=d")
    assert found == [{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}]


def test_a_kind_that_comes_later_is_found(kubeconfig: str) -> None:
    objects = Objects(kubeconfig)
    with pytest.raises(ClusterError, match="knows no assistant"):
        objects.get("assistant", "a", "here")
    Server.answers["/apis"]["items"].append(group("example.com", resource("assistants", "Assistant")))
    assert objects.get("assistant", "a", "here") is None
    assert Server.asked[-1] == "/apis/example.com/v1/namespaces/here/assistants/a"


def test_a_refusal_is_told(kubeconfig: str) -> None:
    Server.answers["/api/v1/namespaces/here/pods/a"] = 403
    with pytest.raises(ClusterError, match="403"):
        Objects(kubeconfig).get("pod", "a", "here")


def test_a_server_that_is_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="cannot be used"):
        Objects(str(tmp_path / "nothing")).get("pod", "a", "here")
