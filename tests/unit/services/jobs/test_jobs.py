"""Golden Jobs, and the rules that every pod of ours obeys."""

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from studio.contract import labels
from studio.contract.model_service import DesiredRunning, DesiredTraining, EnginePod, SecretKey
from studio.model_service.jobs import resources
from studio.model_service.jobs.parts import Attempt, Site
from studio.model_service.jobs.run import run_job
from studio.model_service.jobs.training import KUEUE_QUEUE, training_job

GOLDEN = Path(__file__).parents[3] / "golden" / "jobs"
UID = "6f0c1b52-6a3f-4a54-9a37-0f8f0d1f2a3b"
WHO = {"uid": UID, "name": "kiosk", "namespace": "team", "studio": "studio", "fingerprint": "ab" * 32}
SITE = Site(
    studio="studio",
    version="0.1.0",
    orchestrator_url="http://studio-training-orchestrator.team.svc:8080",
    helper_image="registry.example/services:0.1.0",
    helper_pull_secrets=("ours",),
)
PLAIN = EnginePod(image="registry.example/engine:3.6.21", resources={"limits": {"memory": "2Gi"}})
RICH = EnginePod(
    image="registry.example/engine:pro",
    image_pull_policy="Always",
    image_pull_secrets=["theirs", "ours"],
    env=[{"name": "TZ", "value": "UTC"}, {"name": "TF_CPP_MIN_LOG_LEVEL", "value": "1"}],
    licence=SecretKey(name="licence", key="rasa"),
    resources={"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "3Gi"}},
    node_selector={"pool": "ml"},
    tolerations=[{"key": "ml", "operator": "Exists"}],
    affinity={"podAntiAffinity": {}},
    priority_class_name="batch",
)
JOBS: dict[str, Any] = {
    "training-plain": training_job(DesiredTraining(**WHO, engine=PLAIN), Attempt("kiosk-t1-abcde", 1, 7), SITE),
    "training-rich-second-attempt": training_job(
        DesiredTraining(**WHO, engine=RICH, deadline_seconds=600),
        Attempt("kiosk-t2-abcde", 2, 9, '[["OutOfMemory", 0]]'),
        SITE,
        memory_factor=1.5,
    ),
    "training-queued-by-kueue": training_job(
        DesiredTraining(**WHO, engine=PLAIN, queue_name="batch"), Attempt("kiosk-t3-abcde", 1, 12), SITE
    ),
    "run-plain": run_job(DesiredRunning(**WHO, engine=PLAIN), Attempt("kiosk-r1-abcde", 1, 8), SITE),
    "run-warm": run_job(DesiredRunning(**WHO, engine=PLAIN), Attempt("kiosk-r4-abcde", 1, 8), SITE, warm=True),
    "run-rich": run_job(
        DesiredRunning(
            **WHO, engine=RICH, credentials="kiosk-channels", actions_url="http://kiosk-actions:5055/webhook"
        ),
        Attempt("kiosk-r2-abcde", 3, 11),
        SITE,
    ),
}


@pytest.mark.parametrize("name", JOBS)
def test_job_is_as_recorded(name: str, request: pytest.FixtureRequest) -> None:
    """To record on purpose: delete the file, run once, read the difference."""
    file = GOLDEN / f"{name}.yaml"
    rendered = yaml.safe_dump(JOBS[name], sort_keys=False, width=120)
    if not file.exists():
        file.write_text(rendered)
        pytest.fail(f"{file.name} was recorded: read it, then run again")
    assert yaml.safe_load(file.read_text()) == JOBS[name]


def _pod(job: Any) -> Any:
    return job["spec"]["template"]["spec"]


def _containers(job: Any) -> list[Any]:
    return [*_pod(job)["initContainers"], *_pod(job)["containers"]]


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
class TestPolicy:
    def test_pod_security_restricted(self, job: Any) -> None:
        security = _pod(job)["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in _containers(job):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True
        allowed = {"emptyDir", "projected", "secret"}
        assert all(set(volume) - {"name"} <= allowed for volume in _pod(job)["volumes"])

    def test_only_helpers_hold_the_token(self, job: Any) -> None:
        assert _pod(job)["automountServiceAccountToken"] is False
        holders = {c["name"] for c in _containers(job) if any(m["name"] == "token" for m in c["volumeMounts"])}
        assert holders == {c["name"] for c in _containers(job) if c["image"] == SITE.helper_image}
        [token] = [v for v in _pod(job)["volumes"] if v["name"] == "token"]
        [source] = token["projected"]["sources"]
        assert source["serviceAccountToken"]["audience"] == labels.AUDIENCE

    def test_engine_has_no_credentials_of_ours(self, job: Any) -> None:
        [engine] = [c for c in _containers(job) if c["name"] in ("train", "engine")]
        assert not {"ORCHESTRATOR_URL", "ORCHESTRATOR_TOKEN_FILE"} & {v["name"] for v in engine["env"]}
        assert {m["name"] for m in engine["volumeMounts"]} <= {"tmp", "work", "engine"}

    def test_no_service_links_no_retries_no_ttl(self, job: Any) -> None:
        assert _pod(job)["enableServiceLinks"] is False
        assert _pod(job)["restartPolicy"] == "Never"
        assert job["spec"]["backoffLimit"] == 0
        assert "ttlSecondsAfterFinished" not in job["spec"]

    def test_owner_does_not_wait_for_the_job(self, job: Any) -> None:
        [owner] = job["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Assistant", UID)
        assert owner["controller"] is owner["blockOwnerDeletion"] is False

    def test_pod_carries_the_labels_of_the_job(self, job: Any) -> None:
        # Kueue's label would put the pod in its queue, too.
        own = {key: value for key, value in job["metadata"]["labels"].items() if key != KUEUE_QUEUE}
        assert job["spec"]["template"]["metadata"]["labels"] == own
        assert job["metadata"]["labels"][labels.MANAGED_BY] == labels.MANAGED_BY_MODEL_SERVICE
        assert all(len(value) <= 63 for value in job["metadata"]["labels"].values())

    def test_memory_of_helpers_is_limited_and_failures_are_told(self, job: Any) -> None:
        for container in _containers(job):
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
            if container["image"] == SITE.helper_image:
                assert container["resources"]["limits"]["memory"] == "128Mi"
        assert all("sizeLimit" in v["emptyDir"] for v in _pod(job)["volumes"] if "emptyDir" in v)

    def test_secrets_are_never_values(self, job: Any) -> None:
        text = json.dumps(job)
        assert "auth-token" not in text or '--auth-token=\\"$(cat /run/engine/token)\\"' in text


def test_the_users_environment_wins_and_no_variable_is_set_twice() -> None:
    [engine] = [c for c in _containers(JOBS["run-rich"]) if c["name"] == "engine"]
    names = [v["name"] for v in engine["env"]]
    assert len(names) == len(set(names))
    assert {"name": "TF_CPP_MIN_LOG_LEVEL", "value": "1"} in engine["env"]


def test_pull_secrets_of_both_images_once() -> None:
    assert _pod(JOBS["run-rich"])["imagePullSecrets"] == [{"name": "theirs"}, {"name": "ours"}]


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("2Gi", 2 << 30), ("1500M", 1_500_000_000), ("128974848", 128974848), ("129e6", 129_000_000), ("1.5Gi", 3 << 29)],
)
def test_quantities(quantity: str, expected: int) -> None:
    assert resources.in_bytes(quantity) == expected


@pytest.mark.parametrize("bad", ["", "2 Gi", "Gi", "-1", "2GiB", "0x10"])
def test_bad_quantities(bad: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        resources.in_bytes(bad)


@given(st.integers(1, 64 * 1024), st.sampled_from(["Mi", "Gi", "M", ""]))
def test_more_memory_is_more(amount: int, suffix: str) -> None:
    before = {"requests": {"cpu": "1", "memory": f"{amount}{suffix}"}, "limits": {"memory": f"{amount}{suffix}"}}
    after = resources.with_memory(before, 1.5)
    assert resources.in_bytes(after["limits"]["memory"]) >= 1.5 * resources.in_bytes(f"{amount}{suffix}") - 1
    assert after["requests"]["cpu"] == "1"
    assert resources.with_memory(before, 1.0) == before
    assert before["limits"]["memory"] == f"{amount}{suffix}"


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_kubernetes_knows_every_field(job: Any) -> None:
    kubernetes_validate.validate(job, "1.34", strict=True)


def test_only_a_job_with_a_queue_waits_for_kueue() -> None:
    queued, plain = JOBS["training-queued-by-kueue"], JOBS["training-plain"]
    assert queued["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "batch"
    assert queued["spec"]["suspend"] is True
    assert "kueue.x-k8s.io/queue-name" not in queued["spec"]["template"]["metadata"]["labels"]
    assert "suspend" not in plain["spec"]
    assert not any(label.startswith("kueue") for label in plain["metadata"]["labels"])
