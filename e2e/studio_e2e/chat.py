"""Conversations through the Service of an assistant, from inside a pod: cluster DNS and Service address included."""

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

from cluster.errors import ClusterError
from studio.contract.labels import Component
from studio_e2e.space import Space
from studio_e2e.waiting import NotYet, eventually

# A node hears of a change of a Service some moments after the API server: whoever cannot connect yet tries again.
_SAY = """\
import errno, json, sys, time, urllib.error, urllib.request as u
url, sender, messages = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
nobody_there = (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH)
patience = time.time() + 20
def ask(request):
    while True:
        try:
            return u.urlopen(request, timeout=30)
        except urllib.error.URLError as error:
            if getattr(error.reason, "errno", 0) not in nobody_there or time.time() > patience:
                raise
            time.sleep(0.1)
for message in messages:
    body = json.dumps({"sender": sender, "message": message}).encode()
    with ask(u.Request(url, body, {"content-type": "application/json"})) as answer:
        print(json.dumps([part.get("text") for part in json.load(answer)]))
"""
_KEEP = """\
import http.client, json, sys
host, message = sys.argv[1], sys.argv[2]
engine = http.client.HTTPConnection(host, 5005, timeout=30)
body = json.dumps({"sender": "keeper", "message": message})
headers = {"content-type": "application/json", "connection": "keep-alive"}
engine.request("POST", "/webhooks/rest/webhook", body, headers)
answer = engine.getresponse()
answer.read()
print(answer.getheader("connection"))
"""
# Bounded twice: by the seconds given, and by the end of standard input when the test is over.
_RING = """\
import json, select, sys, time, urllib.request as u
url, message, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
body = json.dumps({"sender": "doorbell", "message": message}).encode()
end = time.time() + seconds
while time.time() < end:
    try:
        with u.urlopen(u.Request(url, body, {"content-type": "application/json"}), timeout=15) as answer:
            print(json.dumps({"heard": [part.get("text") for part in json.load(answer)]}), flush=True)
    except Exception as error:
        print(json.dumps({"failed": repr(error)}), flush=True)
    if select.select([sys.stdin], [], [], 0.3)[0]:
        break
"""


def url(assistant: str) -> str:
    """The REST channel behind the assistant's Service."""
    return f"http://{assistant}:5005/webhooks/rest/webhook"


def say(space: Space, assistant: str, sender: str, messages: Sequence[str]) -> list[list[str]]:
    """Send messages one after the other; the texts of the answers to each. Raises ClusterError."""
    pod = space.pod_of(Component.RUNNING_ORCHESTRATOR)["metadata"]["name"]
    output = space.execute(pod, "python3", "-c", _SAY, url(assistant), sender, json.dumps(list(messages)))
    return [json.loads(line) for line in output.splitlines() if line.startswith("[")]


def connection_after(space: Space, assistant: str, message: str) -> str:
    """What the engine says of the connection when a client asks to keep it. Raises ClusterError."""
    pod = space.pod_of(Component.RUNNING_ORCHESTRATOR)["metadata"]["name"]
    return space.execute(pod, "python3", "-c", _KEEP, assistant, message).strip()


def wait_says(space: Space, assistant: str, sender: str, message: str, answer: str, *, within: float = 10) -> None:
    """Until the answer to a message is this one: after a swap the old engine is heard for some moments more."""

    def says() -> bool:
        try:
            (heard,) = say(space, assistant, sender, [message])
        except ClusterError as error:
            raise NotYet(str(error)) from error
        if heard != [answer]:
            raise NotYet(f"it says {heard}")
        return True

    eventually(f"{assistant} says {answer!r}", says, within=within)


@dataclass
class Doorbell:
    """What a sender in the background heard so far: one answer a message, and the messages that failed."""

    heard: list[list[str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Take in one line of the sender."""
        record = json.loads(line)
        if "failed" in record:
            self.failed.append(record["failed"])
        else:
            self.heard.append(record["heard"])

    def wait_for(self, answer: list[str], *, within: float = 30) -> None:
        """Until the newest answer is this one."""
        eventually(f"the doorbell hears {answer}", lambda: self.heard[-1:] == [answer], within=within)


@contextmanager
def ringing(
    space: Space,
    assistant: str,
    message: str,
    *,
    seconds: float = 400,
    inside: Component = Component.TRAINING_ORCHESTRATOR,
) -> Iterator[Doorbell]:
    """Send the same message every 0.3 s from inside a pod for as long as the block runs, at most `seconds`."""
    doorbell = Doorbell()
    arguments = (url(assistant), message, f"{seconds:g}")
    with sending(space, doorbell.note, _RING, *arguments, patience=20, inside=inside):
        yield doorbell


@contextmanager
def sending(
    space: Space,
    note: Callable[[str], None],
    script: str,
    *arguments: str,
    patience: float,
    inside: Component = Component.TRAINING_ORCHESTRATOR,
) -> Iterator[None]:
    """A Python script inside a pod of a component while the block runs; `note` takes in its lines.

    At the end of the block its standard input ends, and it has `patience` seconds to say the rest.
    """
    pod = space.pod_of(inside)["metadata"]["name"]
    command = space.kubectl.command("-n", space.name, "exec", "-i", pod, "--", "python3", "-c", script, *arguments)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        reader = Thread(target=_read, args=(process.stdout, note), daemon=True)
        reader.start()
        try:
            yield
        finally:
            process.stdin.close()
            reader.join(timeout=patience)
            process.terminate()


def _read(lines: Iterable[str], note: Callable[[str], None]) -> None:
    for line in lines:
        note(line)
