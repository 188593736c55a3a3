"""From manifests to models: what is accepted, and what authors of wrong ones are told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_operator.api.v1alpha1.assistant import Assistant, parse_assistant, unsupported
from studio_operator.api.v1alpha1.common import InvalidSpec, Problem
from studio_operator.api.v1alpha1.patterns import FILE_PATH
from studio_operator.api.v1alpha1.studio import Studio, StudioSpec, parse_studio

FILES: dict[str, Any] = {"source": {"files": {"config.yml": "recipe: default.v1"}}}


def assistant(spec: dict[str, Any], name: str = "concierge", **extra: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "bots", "generation": 3}, "spec": spec} | extra


def studio(spec: dict[str, Any] | None, name: str = "studio") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "bots"}, "spec": spec}


def problems_of(body: dict[str, Any], parse: Any = parse_assistant) -> list[Problem]:
    with pytest.raises(InvalidSpec) as caught:
        parse(body)
    return caught.value.problems


def test_defaults() -> None:
    spec = parse_assistant(assistant(FILES)).spec
    assert spec.language == "en"
    assert (spec.training.trigger, spec.training.retries, spec.training.deadline_seconds) == ("OnChange", 1, 3600)
    assert (spec.training.history.models, spec.training.history.trainings) == (10, 20)
    assert (spec.running.mode, spec.running.model) == ("Always", "latest")
    assert (spec.deletion_policy, spec.paused, spec.actions) == ("Retain", False, None)


def test_an_empty_studio_is_complete() -> None:
    specs: list[dict[str, Any] | None] = [{}, None]
    for spec in specs:
        parsed = parse_studio(studio(spec)).spec
        assert parsed.database.embedded is not None
        assert parsed.object_store.embedded is not None
        assert parsed.training.consumers == 1
        assert parsed.running.policy == "AssistantsPlusOne"


def test_the_studio_of_an_assistant() -> None:
    assert parse_assistant(assistant(FILES)).studio == "studio"
    assert parse_assistant(assistant(FILES | {"studioRef": {"name": "other"}})).studio == "other"


def test_unknown_fields_and_nulls_are_ignored() -> None:
    spec: dict[str, Any] = FILES | {"later": 1, "actions": None, "training": {"priority": None, "later": {}}}
    assert parse_assistant(assistant(spec)).spec == parse_assistant(assistant(FILES)).spec


def test_numbers_are_taken_where_a_string_may_be_written_as_one() -> None:
    spec = FILES | {"running": {"model": 7, "resources": {"requests": {"cpu": 2}}}}
    running = parse_assistant(assistant(spec)).spec.running
    assert running.model == "7"
    assert running.resources.requests == {"cpu": "2"}


def test_a_status_that_cannot_be_read_is_an_empty_one() -> None:
    readable = {"fingerprint": "abc", "training": {"id": "t1", "position": 2}}
    assert parse_assistant(assistant(FILES, status=readable)).status.fingerprint == "abc"
    unreadable = {"fingerprint": {"of": "another version"}}
    assert parse_assistant(assistant(FILES, status=unreadable)).status.fingerprint is None


def test_long_messages_in_status_are_cut_instead_of_refused() -> None:
    body = assistant(FILES, status={"training": {"message": "x" * 100_000}})
    training = parse_assistant(body).status.training
    assert training is not None
    assert len(training.message) == 32_768


WRONG_ASSISTANTS = [
    ({}, "spec.source", "is required"),
    ({"source": {}}, "spec.source", "set exactly one of files, configMaps, git, studio; none is set"),
    (
        {"source": {"files": {"a.yml": ""}, "configMaps": [{"name": "a"}]}},
        "spec.source",
        "set exactly one of files, configMaps, git, studio; files and configMaps are set",
    ),
    ({"source": {"files": {}}}, "spec.source.files", "has too few entries: use at least 1"),
    (
        {"source": {"files": {"../domain.yml": ""}}},
        "spec.source.files",
        f"'../domain.yml' is not a usable file name; {FILE_PATH.advice}",
    ),
    ({"source": {"configMaps": [{}]}}, "spec.source.configMaps[0].name", "is required"),
    (
        {"source": {"configMaps": [{"name": "a"}, {"name": "a"}]}},
        "spec.source.configMaps",
        "two items have the name 'a'; keep one of them",
    ),
    (
        {"source": {"configMaps": [{"name": "a", "items": [{"key": "b", "path": "/etc/passwd"}]}]}},
        "spec.source.configMaps[0].items[0].path",
        f"'/etc/passwd' cannot be used: {FILE_PATH.advice}",
    ),
    (FILES | {"training": {"priority": 5000}}, "spec.training.priority", "5000 is too large: use at most 1000"),
    (FILES | {"training": {"deadlineSeconds": 1}}, "spec.training.deadlineSeconds", "1 is too small: use at least 60"),
    (
        FILES | {"training": {"trigger": "onchange"}},
        "spec.training.trigger",
        "'onchange' is not known: use 'OnChange' or 'Manual'",
    ),
    (
        FILES | {"training": {"retries": "often"}},
        "spec.training.retries",
        "'often' cannot be used: input should be a valid integer, unable to parse string as an integer",
    ),
    (FILES | {"training": "fast"}, "spec.training", "'fast' cannot be used: an object with fields belongs here"),
    (
        FILES | {"engine": {"resources": {"requests": {"memory": "3Gi"}, "limits": {"memory": "2Gi"}}}},
        "spec.engine.resources",
        "requests.memory (3Gi) exceeds limits.memory (2Gi); raise the limit",
    ),
    (
        FILES | {"engine": {"resources": {"limits": {"memory": "2 GB"}}}},
        "spec.engine.resources.limits.memory",
        "'2 GB' cannot be used: use a quantity such as 200m, 1 or 2Gi",
    ),
    (
        FILES | {"engine": {"env": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}},
        "spec.engine.env[0]",
        "set value or valueFrom, not both",
    ),
    (
        FILES | {"engine": {"env": [{"name": "A"}, {"name": "A"}]}},
        "spec.engine.env",
        "two items have the name 'A'; keep one of them",
    ),
    (FILES | {"actions": {"replicas": 2}}, "spec.actions.image", "is required"),
    (
        FILES | {"running": {"model": "newest"}},
        "spec.running.model",
        "'newest' cannot be used: use latest or a number, as in status.model.version",
    ),
]


@pytest.mark.parametrize(("spec", "path", "message"), WRONG_ASSISTANTS, ids=[path for _, path, _ in WRONG_ASSISTANTS])
def test_problems_name_the_field_and_the_remedy(spec: dict[str, Any], path: str, message: str) -> None:
    assert problems_of(assistant(spec)) == [Problem(path, message)]


WRONG_STUDIOS = [
    ({"database": {}}, "spec.database", "set exactly one of embedded, external; none is set"),
    (
        {"database": {"embedded": {}, "external": {"secretRef": {"name": "a"}}}},
        "spec.database",
        "set exactly one of embedded, external; embedded and external are set",
    ),
    (
        {"objectStore": {"external": {"bucket": "abc", "secretRef": {"name": "a"}}}},
        "spec.objectStore.external.endpoint",
        "is required",
    ),
    ({"running": {"policy": "Fixed"}}, "spec.running", "set consumers if, and only if, policy is Fixed"),
    ({"running": {"consumers": 3}}, "spec.running", "set consumers if, and only if, policy is Fixed"),
    ({"training": {"consumers": 0}}, "spec.training.consumers", "0 is too small: use at least 1"),
]


@pytest.mark.parametrize(("spec", "path", "message"), WRONG_STUDIOS)
def test_problems_of_studios(spec: dict[str, Any], path: str, message: str) -> None:
    assert problems_of(studio(spec), parse_studio) == [Problem(path, message)]


@pytest.mark.parametrize("name", ["Concierge", "1st", "a_b", "a-", "a.b", "", "a" * 41, "a\n"])
def test_names(name: str) -> None:
    assert {problem.path for problem in problems_of(assistant(FILES, name))} == {"metadata.name"}


def test_all_problems_are_told_at_once() -> None:
    body = assistant(FILES | {"training": {"priority": 5000}, "running": {"mode": "Sometimes"}}, name="a" * 50)
    with pytest.raises(InvalidSpec) as caught:
        parse_assistant(body)
    assert str(caught.value) == (
        "metadata.name: has 50 characters: use at most 40; "
        "spec.training.priority: 5000 is too large: use at most 1000; "
        "spec.running.mode: 'Sometimes' is not known: use 'Always', 'OnDemand' or 'Never'"
    )


def test_what_this_release_cannot_do_is_said() -> None:
    spec, path = {"source": {"git": {"url": "https://example.com/bot.git"}}}, "spec.source.git"
    (problem,) = unsupported(parse_assistant(assistant(spec)).spec)
    assert problem.path == path
    assert "not available in this release: use " in problem.message


def test_what_this_release_can_do() -> None:
    assert unsupported(parse_assistant(assistant(FILES)).spec) == []


EXTERNAL_BROKER = {"bootstrapServers": "kafka:9092", "secretRef": {"name": "kafka"}}


@pytest.mark.parametrize(
    ("spec", "path", "said"),
    [
        ({"publicUrl": "http://localhost:8180/"}, "spec.publicUrl", "such as https://studio.example.com"),
        ({"publicUrl": "https://Studio.example.com"}, "spec.publicUrl", "such as https://studio.example.com"),
        ({"publicUrl": "ftp://studio.example.com"}, "spec.publicUrl", "such as https://studio.example.com"),
        ({"publicUrl": 'http://x";'}, "spec.publicUrl", "such as https://studio.example.com"),
        ({"publicUrl": "https://studio.example.com:443"}, "spec", "leave out the usual port"),
        ({"ingress": {"tlsSecretName": "tls"}}, "spec", "ingress.tlsSecretName needs a publicUrl with https"),
        ({"gateway": {}}, "spec.gateway.parentRefs", "is required"),
        ({"gateway": {"parentRefs": []}}, "spec.gateway.parentRefs", "too few entries"),
        ({"eventBroker": {"topic": {}}}, "spec.eventBroker", "set exactly one of embedded, external"),
        (
            {"eventBroker": {"embedded": {}, "topic": {"replicationFactor": 3}}},
            "spec.eventBroker",
            "topic.replicationFactor must be 1",
        ),
        (
            {"eventBroker": {"external": {"bootstrapServers": "kafka:9092"}}},
            "spec.eventBroker.external",
            "a securityProtocol with SASL needs secretRef",
        ),
        (
            {"eventBroker": {"external": EXTERNAL_BROKER | {"bootstrapServers": "kafka://x"}}},
            "spec.eventBroker.external.bootstrapServers",
            "use host:port",
        ),
        ({"eventBroker": {"embedded": {}, "topic": {"name": "a b"}}}, "spec.eventBroker.topic.name", "Kafka topic"),
        ({"ingestion": {"topics": ["a", "a"]}}, "spec.ingestion.topics", "named twice"),
        ({"identity": {}}, "spec.identity", "set exactly one of embedded, external"),
        ({"identity": {"external": {"issuer": "login"}}}, "spec.identity.external.issuer", "use a URL"),
        (
            {"identity": {"embedded": {"administrator": {"username": "Boss"}}}},
            "spec.identity.embedded.administrator.username",
            "lower-case",
        ),
    ],
)
def test_what_a_studio_cannot_be(spec: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse_studio(studio(spec))
    (problem,) = caught.value.problems
    assert (problem.path, said in problem.message) == (path, True), problem


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_a_broker_without_a_login(protocol: str) -> None:
    external = {"bootstrapServers": "kafka:9092", "securityProtocol": protocol}
    broker = parse_studio(studio({"eventBroker": {"external": external}})).spec.event_broker
    assert broker.external is not None
    assert not broker.external.signs_in


@pytest.mark.parametrize(
    "channels",
    [
        {"cors": {"allowedOrigins": ["https://www.example.com/path"]}},
        {"cors": {"allowedOrigins": ["www.example.com"]}},
        {"cors": {"allowedOrigins": ['https://x" "1"; }']}},
        {"expose": ["callback"]},
    ],
)
def test_channels_that_cannot_be_served(channels: dict[str, Any]) -> None:
    (problem,) = problems_of(assistant(FILES | {"channels": channels}))
    assert problem.path.startswith("spec.channels.")


names = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
quantities = st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["100m", "1", "512Mi", "2Gi"]))
resources = st.fixed_dictionaries({}, optional={"limits": quantities})
env = st.lists(
    st.fixed_dictionaries(
        {"name": st.from_regex(r"[A-Z_]{1,10}", fullmatch=True)}, optional={"value": st.text(max_size=20)}
    ),
    max_size=4,
    unique_by=lambda variable: variable["name"],
)
sources = st.one_of(
    st.builds(lambda files: {"files": files}, st.dictionaries(names, st.text(max_size=50), min_size=1, max_size=5)),
    st.builds(
        lambda found: {"configMaps": [{"name": name} for name in sorted(found)]}, st.sets(names, min_size=1, max_size=4)
    ),
)
assistant_specs = st.fixed_dictionaries(
    {"source": sources},
    optional={
        "studioRef": st.builds(lambda name: {"name": name}, names),
        "language": st.sampled_from(["en", "de", "pt-BR"]),
        "engine": st.fixed_dictionaries({}, optional={"env": env, "resources": resources}),
        "training": st.fixed_dictionaries(
            {},
            optional={
                "trigger": st.sampled_from(["OnChange", "Manual"]),
                "priority": st.integers(-1000, 1000),
                "history": st.fixed_dictionaries({}, optional={"models": st.integers(1, 1000)}),
                "nodeSelector": st.dictionaries(names, names, max_size=3),
                "affinity": st.dictionaries(names, st.integers(), max_size=2),
            },
        ),
        "running": st.fixed_dictionaries(
            {},
            optional={
                "mode": st.sampled_from(["Always", "OnDemand", "Never"]),
                "model": st.sampled_from(["latest", "12"]),
            },
        ),
        "channels": st.fixed_dictionaries(
            {},
            optional={
                "credentialsSecretRef": st.builds(lambda n: {"name": n}, names),
                "expose": st.sampled_from([[], ["rest"], ["rest", "socketio"]]),
                "cors": st.just({"allowedOrigins": ["https://www.example.com", "*"]}),
            },
        ),
        "actions": st.fixed_dictionaries(
            {"image": names}, optional={"replicas": st.integers(1, 20), "env": env, "resources": resources}
        ),
        "deletionPolicy": st.sampled_from(["Retain", "Delete"]),
        "paused": st.booleans(),
    },
)


@given(assistant_specs, names)
def test_valid_assistants_survive_the_round_trip(spec: dict[str, Any], name: str) -> None:
    parsed = parse_assistant(assistant(spec, name))
    written = parsed.spec.manifest()
    assert contains(written, spec)
    assert parse_assistant(assistant(written, name)) == parsed
    assert isinstance(parsed, Assistant)


studio_specs = st.fixed_dictionaries(
    {},
    optional={
        "images": st.fixed_dictionaries(
            {}, optional={"registry": names, "pullPolicy": st.sampled_from(["Always", "Never"])}
        ),
        "database": st.one_of(
            st.just({"embedded": {}}),
            st.builds(lambda name: {"external": {"secretRef": {"name": name}}}, names),
        ),
        "publicUrl": st.sampled_from(
            ["http://localhost:8180", "https://bots.example.com", "https://[2001:db8::1]:8443"]
        ),
        "ingress": st.fixed_dictionaries({}, optional={"className": names, "annotations": st.just({"a/b": "c"})}),
        "gateway": st.builds(
            lambda found: {"parentRefs": [{"name": name} for name in found]}, st.lists(names, min_size=1, max_size=8)
        ),
        "eventBroker": st.fixed_dictionaries(
            {"embedded": st.just({})},
            optional={"topic": st.fixed_dictionaries({}, optional={"partitions": st.integers(1, 1000)})},
        ),
        "ingestion": st.fixed_dictionaries(
            {}, optional={"topics": st.lists(names, max_size=16, unique=True), "backfill": st.booleans()}
        ),
        "identity": st.one_of(
            st.just({"embedded": {"registration": True, "administrator": {"username": "boss"}}}),
            st.just({"external": {"issuer": "https://login.example.com/realms/x"}}),
        ),
        "training": st.fixed_dictionaries({}, optional={"consumers": st.integers(1, 50)}),
        "running": st.one_of(
            st.fixed_dictionaries(
                {}, optional={"policy": st.sampled_from(["AssistantsPlusOne", "AssistantsTimesTwo"])}
            ),
            st.builds(lambda count: {"policy": "Fixed", "consumers": count}, st.integers(1, 1000)),
        ),
        "deletionPolicy": st.sampled_from(["Retain", "Delete"]),
    },
)


@given(studio_specs)
def test_valid_studios_survive_the_round_trip(spec: dict[str, Any]) -> None:
    parsed = parse_studio(studio(spec))
    written = parsed.spec.manifest()
    assert contains(written, spec)
    assert parse_studio(studio(written)) == parsed
    assert isinstance(parsed, Studio)


breakages = st.sampled_from(
    [
        ("spec.language", lambda spec, junk: spec | {"language": junk}),
        ("spec.training.trigger", lambda spec, junk: spec | {"training": {"trigger": junk}}),
        ("spec.training.history.models", lambda spec, junk: spec | {"training": {"history": {"models": junk}}}),
        ("spec.running.model", lambda spec, junk: spec | {"running": {"model": junk}}),
        ("spec.actions.image", lambda spec, junk: spec | {"actions": {"image": junk}}),
        ("spec.studioRef.name", lambda spec, junk: spec | {"studioRef": {"name": junk}}),
        ("spec.deletionPolicy", lambda spec, junk: spec | {"deletionPolicy": junk}),
        (
            "spec.engine.resources.limits.memory",
            lambda s, junk: s | {"engine": {"resources": {"limits": {"memory": junk}}}},
        ),
    ]
)


@given(assistant_specs, breakages, st.sampled_from(["", "No Such Thing!", "ä", "x\n", [1], {"a": 1}]))
def test_invalid_assistants_are_told_the_field(spec: dict[str, Any], breakage: Any, junk: Any) -> None:
    path, broken = breakage
    problems = problems_of(assistant(broken(spec, junk)))
    assert [problem.path for problem in problems] == [path]
    assert all(problem.message and "\n" not in problem.message for problem in problems)


def contains(whole: Any, part: Any) -> bool:
    """Whether everything in `part` is in `whole` as well; what was left out may have got a default."""
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(contains(*pair) for pair in zip(whole, part, strict=True))
    return bool(whole == part)


def test_a_studio_spec_can_be_made_in_python() -> None:
    assert StudioSpec(paused=True).manifest()["paused"] is True
