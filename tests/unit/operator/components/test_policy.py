"""What holds for every pod and every object, whatever the component."""

from decimal import Decimal
from typing import Any

import kubernetes_validate
import pytest
from tests.unit.operator.components.samples import EXTERNAL, FULL, STUDIO_COMPONENTS

from studio.contract.labels import COMPONENT as COMPONENT_LABEL
from studio.contract.labels import MANAGED_BY, MANAGED_BY_OPERATOR, PART_OF, Component
from studio_operator.api.quantity import amount
from studio_operator.components import actions, engine, migration
from studio_operator.components.metadata import stateful_set_name

LONGEST = "a" * 40
TALKS_TO_API = {"backend", "training-orchestrator", "running-orchestrator", "training-consumer", "running-consumer"}
# Requests of the helpers in the Jobs, which the consumers build: one in each of two runs, none beside a training.
RUN_HELPERS_CPU = 2 * Decimal("0.02")
CPU_BUDGET = Decimal("1.6")


@pytest.fixture(params=["default", "external", "longest", "delete"])
def objects(request: pytest.FixtureRequest, studio: Any, assistant: Any) -> list[dict[str, Any]]:
    """Every object of a Studio and an Assistant."""
    specs = {"external": EXTERNAL, "delete": {"deletionPolicy": "Delete"}}
    names = {"name": LONGEST} if request.param == "longest" else {}
    context = studio(specs.get(request.param), **names)
    owned = [body for module in STUDIO_COMPONENTS for body in module.objects(context)]
    return owned + actions.objects(assistant(FULL, studio_name=context.name, **names))


def workloads(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [body for body in objects if "template" in body.get("spec", {})]


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [body["spec"]["template"] for body in workloads(objects)]


def containers(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [container for pod in pods(objects) for container in pod["spec"]["containers"]]


def test_every_object_is_valid_for_kubernetes(objects: list[dict[str, Any]]) -> None:
    for body in objects:
        kubernetes_validate.validate(body, "1.34", strict=True)


def test_pods_are_restricted(objects: list[dict[str, Any]]) -> None:
    for pod in pods(objects):
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == context["fsGroup"] == 65532
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys()


def test_containers_are_restricted(objects: list[dict[str, Any]]) -> None:
    for container in containers(objects):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_volumes_are_of_the_kinds_that_restricted_allows(objects: list[dict[str, Any]]) -> None:
    for pod in pods(objects):
        for volume in pod["spec"]["volumes"]:
            (kind,) = volume.keys() - {"name"}
            assert kind in {"configMap", "emptyDir", "secret", "projected"}


def test_only_what_needs_the_api_server_has_a_token_for_it(objects: list[dict[str, Any]]) -> None:
    with_token = {
        pod["metadata"]["labels"][COMPONENT_LABEL]
        for pod in pods(objects)
        if pod["spec"]["automountServiceAccountToken"]
    }
    assert with_token == TALKS_TO_API
    accounts = [body for body in objects if body["kind"] == "ServiceAccount"]
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


def test_every_container_has_requests_and_a_memory_limit(objects: list[dict[str, Any]]) -> None:
    for container in containers(objects):
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert "cpu" not in container["resources"]["limits"]


def test_no_secret_is_in_the_environment_but_what_has_no_file(objects: list[dict[str, Any]]) -> None:
    for body in workloads(objects):
        component = body["metadata"]["labels"][COMPONENT_LABEL]
        if component in {Component.OBJECT_STORE, Component.ACTIONS}:
            continue
        for container in body["spec"]["template"]["spec"]["containers"]:
            keys = [
                v["valueFrom"]["secretKeyRef"]["key"]
                for v in container.get("env", [])
                if "secretKeyRef" in v.get("valueFrom", {})
            ]
            assert set(keys) <= {"host", "port", "sslmode", "user"}


def test_every_object_and_pod_carries_the_common_labels(objects: list[dict[str, Any]]) -> None:
    for labelled in [*objects, *pods(objects)]:
        carried = labelled["metadata"]["labels"]
        assert carried[MANAGED_BY] == MANAGED_BY_OPERATOR
        assert carried.keys() >= {PART_OF, COMPONENT_LABEL}


def test_selectors_find_their_pods(objects: list[dict[str, Any]]) -> None:
    for body in workloads(objects):
        if body["kind"] != "Job":
            carried = body["spec"]["template"]["metadata"]["labels"]
            assert body["spec"]["selector"]["matchLabels"].items() <= carried.items()


def test_every_object_has_one_controller(objects: list[dict[str, Any]]) -> None:
    for body in objects:
        (owner,) = body["metadata"]["ownerReferences"]
        assert owner["controller"] is True
        assert owner["blockOwnerDeletion"] is True


def test_names_are_short_enough_and_unique(objects: list[dict[str, Any]]) -> None:
    keys = [(body["kind"], body["metadata"]["name"]) for body in objects]
    assert len(keys) == len(set(keys))
    for kind, name in keys:
        # A StatefulSet's pods carry its name and a hash of up to 10 digits in one label.
        assert len(name) <= (52 if kind == "StatefulSet" else 63), (kind, name)


def test_short_names_of_stateful_sets_stay_as_they_are(studio: Any) -> None:
    assert stateful_set_name(studio(), Component.OBJECT_STORE) == "studio-object-store"
    assert stateful_set_name(studio(name="b" * 40), Component.OBJECT_STORE).startswith("b" * 40)


def test_no_two_pods_mount_a_path_twice(objects: list[dict[str, Any]]) -> None:
    for container in containers(objects):
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert len(paths) == len(set(paths))


def test_the_whole_studio_fits_the_cpu_budget(studio: Any, assistant: Any) -> None:
    """The Studio, an action server, two runs with a spare slot, and a training; the migration has ended by then."""
    context = studio(running_slots=3)
    built = [body for module in STUDIO_COMPONENTS if module != migration for body in module.objects(context)]
    built += actions.objects(assistant({"actions": {"image": "actions"}}))
    total = sum(
        (body["spec"].get("replicas", 1) * amount(container["resources"]["requests"]["cpu"]))
        for body in workloads(built)
        for container in body["spec"]["template"]["spec"]["containers"]
    )
    run, training = engine.running_engine(assistant()), engine.training_engine(assistant())
    total += 2 * amount(run.resources["requests"]["cpu"]) + RUN_HELPERS_CPU
    total += amount(training.resources["requests"]["cpu"])
    assert total <= CPU_BUDGET


def test_whatever_the_migration_reads_changes_its_name(studio: Any) -> None:
    def name(**changes: Any) -> str:
        return str(migration.objects(studio(**changes))[0]["metadata"]["name"])

    names = {
        name(),
        name(version="0.2.0"),
        name(spec=None, secret_digests={"studio-database-roles": "changed"}),
        str(migration.objects(studio(EXTERNAL))[0]["metadata"]["name"]),
    }
    assert len(names) == 4
    assert name() == name(running_slots=9)


def test_a_changed_secret_rolls_the_pods_that_read_it_and_no_others(studio: Any) -> None:
    def templates(digests: dict[str, str]) -> dict[str, Any]:
        context = studio(secret_digests=digests)
        built = [body for module in STUDIO_COMPONENTS for body in module.objects(context)]
        return {body["metadata"]["labels"][COMPONENT_LABEL]: body["spec"]["template"] for body in workloads(built)}

    before, after = templates({}), templates({"studio-object-store": "changed"})
    rolled = {component for component, template in before.items() if template != after[component]}
    assert rolled == {"object-store", "training-orchestrator", "running-orchestrator", "backend"}


def test_the_volume_claim_has_only_labels_that_never_change(studio: Any) -> None:
    def claim(version: str) -> Any:
        sets = [b for m in STUDIO_COMPONENTS for b in m.objects(studio(version=version)) if b["kind"] == "StatefulSet"]
        return [body["spec"]["volumeClaimTemplates"] for body in sets]

    assert claim("1.0.0") == claim("2.0.0+build.7")
