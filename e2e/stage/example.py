"""The example assistant: applied, watched until it is Ready, spoken to once."""

import json
import shlex
import shutil
import time
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.progress import Progress
from stage import chat, entry
from stage.kubectl import REPOSITORY, Kubectl, conditions

NAMESPACE = "concert-hall"
ASSISTANT = "concert-hall"
FOLDER = REPOSITORY / "examples" / "concert-hall"
CONTENT = "examples/concert-hall/content"
CONFIG_MAP = "concert-hall-content"
READY_SECONDS = 300.0
# After an edit that changes nothing of what is trained, such as a comment, no other fingerprint comes.
NEWS_SECONDS = 15.0
POLL_SECONDS = 1.0


def bring_up(kubectl: Kubectl, namespace: str, progress: Progress) -> None:
    """Apply the example to a namespace and return when it has answered a whole conversation as expected.

    Raises:
        ClusterError: it did not become Ready in time (with what its conditions say), or gave another answer.
    """
    kubectl.apply(json.dumps(_namespace(namespace)))
    content, live = _content(kubectl, namespace), kubectl.objects.get("assistant", ASSISTANT, namespace)
    kubectl.apply(manifest(kubectl), namespace=namespace)
    edited = content not in (None, _content(kubectl, namespace))
    wait_ready(kubectl, namespace, progress, other_than=_fingerprint(live) if edited else None)
    expected = json.loads((FOLDER / "conversation.json").read_text())
    with chat.forward(kubectl, namespace, ASSISTANT) as url:
        for message, answer in expected:
            heard = chat.say(url, "make-up", message)
            progress.say(f"you> {message}")
            for line in heard:
                progress.say(f"     {line}")
            if heard != [answer]:
                raise ClusterError(f"the example answered {heard} to {message!r}, expected {[answer]}")
    url = entry.open_entry(kubectl, namespace, progress)
    print(last_words(kubectl, namespace, url, on_path=shutil.which("kubectl") is not None))


def manifest(kubectl: Kubectl) -> str:
    """The example's objects as YAML, with the action server's image of this checkout."""
    from stage.operator import image_refs  # the other direction would be a cycle

    rendered = kubectl.run("kustomize", str(FOLDER))
    return rendered.replace("concert-hall-actions:example", image_refs()["example-actions"])


def wait_ready(kubectl: Kubectl, namespace: str, progress: Progress, *, other_than: str | None) -> None:
    """Follow the Assistant's Ready condition, one line for each change of its reason.

    What is said of another generation, or of the content with the fingerprint `other_than`, is of before.

    Raises:
        ClusterError: it did not become Ready in time, or will not by itself.
    """
    begun, said = time.monotonic(), ""
    while True:
        live = kubectl.objects.get("assistant", ASSISTANT, namespace) or {}
        current = live.get("status", {}).get("observedGeneration") == live.get("metadata", {}).get("generation")
        if other_than and _fingerprint(live) == other_than and time.monotonic() < begun + NEWS_SECONDS:
            current = False
        found = conditions(live) if current else {}
        ready = found.get("Ready", {"status": "Unknown", "reason": "Pending", "message": "not looked at yet"})
        line = f"{ready['reason']}: {ready['message']}"
        if line != said:
            progress.say(line)
            said = line
        if ready["status"] == "True":
            return
        if "Stalled" in found or time.monotonic() > begun + READY_SECONDS:
            raise ClusterError(
                f"the example is not Ready: {line}; see kubectl -n {namespace} describe assistant {ASSISTANT}"
            )
        time.sleep(POLL_SECONDS)


def _content(kubectl: Kubectl, namespace: str) -> object:
    return (kubectl.objects.get("configmap", CONFIG_MAP, namespace) or {}).get("data")


def _fingerprint(live: dict[str, Any] | None) -> str | None:
    fingerprint: str | None = (live or {}).get("status", {}).get("fingerprint")
    return fingerprint


def remove(kubectl: Kubectl, progress: Progress) -> None:
    """Delete the example's namespace with everything in it."""
    with progress.step("example removed"):
        kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", timeout=150)


def last_words(kubectl: Kubectl, namespace: str, url: str, *, on_path: bool) -> str:
    """What a person can do next; `on_path` says whether their shell finds a kubectl."""
    there = "" if namespace == NAMESPACE else f" NAMESPACE={namespace}"
    return f"""
The concert hall is open: one Assistant was trained by a Job of its own, runs in a Job of its own, and answers.

  {f"make chat{there}":46} talk to it here
  {url:46} sign in as admin; the next two lines print the password
  {shell_line(kubectl, on_path=on_path)}
  kubectl -n {namespace} get secret studio-administrator -o jsonpath='{{.data.password}}' | base64 -d
  kubectl -n {namespace} get assistants,studios   what there is, in one line each
  kubectl -n {namespace} describe assistant {ASSISTANT}
  {f"make example{there}":46} after you edited {CONTENT}: a new training, a swap, no message lost
  make down                                      remove it all
"""


def shell_line(kubectl: Kubectl, *, on_path: bool) -> str:
    """The command that leads a shell to this cluster, and to our kubectl where the shell finds none."""
    config = f"export KUBECONFIG={shlex.quote(kubectl.kubeconfig)}"
    return config if on_path else f'{config} PATH={shlex.quote(str(Path(kubectl.program).parent))}:"$PATH"'


def _namespace(name: str) -> dict[str, object]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
