"""Engines that are started before their model, against engines that start with it: in turn, in the same namespace.

The moment of a model is that of its row in the database, whose clock is that of this machine's cluster.
"""

import contextlib
import datetime as dt
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from cluster.errors import ClusterError
from measuring import model_stage, model_swaps
from measuring.model_swaps import Talk
from stage.kubectl import Kubectl
from studio.contract import labels
from studio.contract.labels import Component
from studio.kube.kinds import JOB
from studio_e2e import assistants, content, model_service
from studio_e2e.assistants import Assistant
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

Manifest = dict[str, Any]

WARM = f"{labels.GROUP}/warm"
WITHIN = 240.0
# TensorFlow trains, and then loads, beside an engine that talks.
BARE_WITHIN = 480.0
# Of each intent of a light model.
EXAMPLES = 900
# An answer is heard at most a fifth of a second late, and the load leaves the cores to the engines that are compared.
DIET_MESSAGES_PER_SECOND = 5.0
BARE = "bare"
_DIET = """\
recipe: default.v1
language: en
pipeline:
  - name: WhitespaceTokenizer
  - name: CountVectorsFeaturizer
  - name: DIETClassifier
    epochs: 20
    constrain_similarities: true
policies:
  - name: RulePolicy
"""

# What an engine does by itself: train the content, then take the model by PUT /model, warm. Seconds, one JSON a line.
_BARE = """\
import json, os, shutil, subprocess, time, urllib.request as u
shutil.copytree("/content", "/tmp/content")
os.makedirs("/tmp/home")
own = {"HOME": "/tmp/home", "MPLCONFIGDIR": "/tmp/home", "RASA_CACHE_DIRECTORY": "/tmp/cache"}
environment = {**os.environ, **own}
began = time.time()
subprocess.run(["rasa", "train", "--config", "/tmp/content/config.yml", "--domain", "/tmp/content/domain.yml", "--data",
                "/tmp/content/data", "--out", "/tmp/model", "--fixed-model-name", "model"], env=environment, check=True)
print(json.dumps({"train": time.time() - began}), flush=True)
if os.environ["PUTS"] != "0":
    model = "/usr/local/share/studio-operator/warm-model.tar.gz"
    subprocess.Popen(["rasa", "run", "--enable-api", "--port", "5005", "--model", model], env=environment)
    def status():
        try:
            return u.urlopen("http://127.0.0.1:5005/status", timeout=5).status
        except OSError:
            return 0
    while status() != 200:
        time.sleep(0.2)
    body = json.dumps({"model_file": "/tmp/model/model.tar.gz"}).encode()
    for _ in range(int(os.environ["PUTS"])):
        began = time.time()
        request = u.Request("http://127.0.0.1:5005/model", body, {"content-type": "application/json"}, method="PUT")
        u.urlopen(request, timeout=300)
        print(json.dumps({"put": time.time() - began}), flush=True)
print("done", flush=True)
os._exit(0)
"""


@dataclass
class Firsts:
    """Seconds from a model in the store to its first answer, how many of the engines were really warm, and the talk."""

    talk: Talk
    warm: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    really_warm: int = 0


@dataclass
class Compared:
    """Seconds of ours, and of what an engine needs by itself for the same."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


def light(greeting: str) -> dict[str, str]:
    """Content with the pipeline of the concert hall: scikit-learn, no TensorFlow. It always answers.

    It has as many examples as a small bot in use, and trains for some 20 s: an engine that is started with a training
    of ten is still starting when the model comes.
    """
    config = content.hall()["config.yml"].replace("  - name: FallbackClassifier\n    threshold: 0.5\n", "")
    files = content.porter(greeting=greeting)
    nlu = yaml.safe_load(files["nlu.yml"])
    for intent in nlu["nlu"]:
        said = [line.removeprefix("- ") for line in intent["examples"].splitlines()]
        more = [f"{said[n % len(said)]} w{n} v{n * 7919 % EXAMPLES}" for n in range(EXAMPLES)]
        intent["examples"] = "".join(f"- {example}\n" for example in said + more)
    return {**files, "config.yml": config, "nlu.yml": yaml.safe_dump(nlu)}


def diet(greeting: str) -> dict[str, str]:
    """The same content for TensorFlow."""
    return {**content.porter(greeting=greeting), "config.yml": _DIET}


def firsts(kubectl: Kubectl, *, rounds: int = 8) -> Firsts:
    """Train new content, with a warm engine and without one, in turn."""
    with model_stage.namespace(kubectl, "warm") as space:
        porter = Assistant(space, "porter")
        porter.apply_with_content(light("Good day, says the first."))
        porter.wait_ready()
        assistants.wait_studio_ready(space)
        with model_swaps.talking(porter.space, porter.name) as talk:
            found = Firsts(talk)
            for number in range(rounds):
                with _warming(space):
                    seconds, warmed = _first_answer(porter, talk, light(text := f"Good day, warm {number}."), text)
                    found.warm.append(seconds)
                    found.really_warm += warmed
                seconds, _ = _first_answer(porter, talk, light(text := f"Good day, cold {number}."), text)
                found.cold.append(seconds)
    return found


def of_tensorflow(kubectl: Kubectl, *, rounds: int = 3) -> Compared:
    """Models of DIET into warm engines, and by bare `PUT /model` into an engine beside, in turn."""
    found = Compared()
    with model_stage.namespace(kubectl, "diet") as space:
        porter = Assistant(space, "porter")
        porter.apply_with_content(diet("Good day, says the first."))
        porter.wait_ready(within=WITHIN)
        assistants.wait_studio_ready(space)
        for number in range(rounds):
            talking = model_swaps.talking(space, porter.name, per_second=DIET_MESSAGES_PER_SECOND)
            with _warming(space), talking as talk:
                seconds, _ = _first_answer(porter, talk, diet(text := f"Good day, model {number}."), text)
                found.ours.append(seconds)
                # The first load of an engine finds TensorFlow cold, as in a warm engine of ours. The same talk goes on.
                found.bare += [told["put"] for told in bare(porter, puts=1) if "put" in told]
    return found


def new_assistants(kubectl: Kubectl, *, rounds: int = 4) -> Compared:
    """Assistants from applied to Ready, and bare trainings of the same content under the same limits, in turn."""
    found = Compared()
    with model_stage.namespace(kubectl, "new") as space:
        first = Assistant(space, "first")
        first.apply_with_content(light("Good day, says the first."))
        first.wait_ready()
        assistants.wait_studio_ready(space)
        with _warming(space):
            for number in range(rounds):
                fresh = Assistant(space, f"fresh-{number}")
                began = time.time()
                fresh.apply_with_content(light(f"Good day, says number {number}."))
                fresh.wait_for("Ready", within=WITHIN)
                found.ours.append(time.time() - began)
                found.bare += [told["train"] for told in bare(fresh, puts=0) if "train" in told]
                fresh.delete()
    return found


@contextlib.contextmanager
def _warming(space: Space) -> Iterator[None]:
    space.patch("studio", "studio", {"spec": {"running": {"warming": "BeforeTrainingEnds"}}})
    try:
        yield
    finally:
        space.patch("studio", "studio", {"spec": {"running": {"warming": "Never"}}})


def _first_answer(porter: Assistant, talk: Talk, files: Mapping[str, str], text: str) -> tuple[float, bool]:
    """Seconds from the model in the store to the first answer of it, and whether its engine was started before."""
    talk.texts.add(text)
    before, began = porter.status["fingerprint"], time.time()
    porter.set_content(files)
    status = porter.wait_ready(other_than=before, within=WITHIN)["status"]
    heard = eventually(f"{text!r} is heard", lambda: talk.first(text, since=began), within=WITHIN, every=0.1)
    models = model_service.models(porter.space, porter.name)
    trained = next(model["trained_at"] for model in models if str(model["version"]) == status["model"]["version"])
    engines = [job for job in porter.runs() if job["metadata"]["labels"][labels.RUN] == status["run"]["id"]]
    model_swaps.wait_single(porter)
    warmed = any(WARM in engine["metadata"]["annotations"] for engine in engines)
    return heard - dt.datetime.fromisoformat(trained).timestamp(), warmed


def bare(assistant: Assistant, *, puts: int) -> list[dict[str, float]]:
    """What an engine of the same image, under the same limits and with the same content, tells by itself."""
    space = assistant.space
    engine, *_ = space.list("pods", component=Component.RUN.value, assistant=assistant.name)
    container = next(c for c in engine["spec"]["containers"] if c["name"] == "engine")
    space.apply(bare_job(assistant.name, space.name, container, puts=puts))

    def done() -> str:
        try:
            log = space.run("logs", f"job/{BARE}", "--tail=-1")
        except ClusterError as error:
            raise NotYet(str(error)) from error
        if "Traceback" in log:
            raise ClusterError(f"the bare engine failed: {log[-2000:]}")
        if "done" not in log.splitlines():
            raise NotYet(log[-200:])
        return log

    try:
        log = eventually("the bare engine is done", done, within=BARE_WITHIN, every=1)
    finally:
        space.delete("job", BARE)
    return [json.loads(line) for line in log.splitlines() if line.startswith('{"')]


def bare_job(assistant: str, namespace: str, engine: Manifest, *, puts: int) -> Manifest:
    """The Job of a bare engine, with the ConfigMap `<assistant>-content`."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
                "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}  # fmt: skip
    paths = ("config.yml", "domain.yml", "data/nlu.yml", "data/rules.yml")
    items = [{"key": path.rsplit("/", 1)[-1], "path": path} for path in paths]
    container = {
        "name": BARE,
        "image": engine["image"],
        "command": ["python3", "-c", _BARE],
        "workingDir": "/tmp",
        "env": [{"name": "PUTS", "value": str(puts)}],
        "resources": engine["resources"],
        "securityContext": security,
        "volumeMounts": [{"name": "content", "mountPath": "/content"}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "content", "configMap": {"name": f"{assistant}-content", "items": items}}],
    }
    return {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": {"name": BARE, "namespace": namespace},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
