"""A conversation with an assistant over its REST channel, through a port-forward to its Service."""

import contextlib
import json
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence

from cluster.errors import ClusterError
from stage.kubectl import Kubectl

ENGINE_PORT = 5005
FORWARD_SECONDS = 20.0


def talk(kubectl: Kubectl, namespace: str, assistant: str, messages: Sequence[str]) -> None:
    """Say the given messages, or, without any, whatever a person types until an empty line."""
    sender = f"make-chat-{uuid.uuid4().hex[:8]}"
    with forward(kubectl, namespace, assistant) as url:
        for message in messages or _typed(assistant):
            if messages:
                print(f"you> {message}")
            for answer in say(url, sender, message):
                print(f"{assistant}> {answer}")


def say(url: str, sender: str, message: str) -> list[str]:
    """Send one message and return the texts of the answers.

    Raises:
        ClusterError: the assistant did not answer.
    """
    body = json.dumps({"sender": sender, "message": message}).encode()
    request = urllib.request.Request(f"{url}/webhooks/rest/webhook", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return [answer.get("text") or json.dumps(answer) for answer in json.load(response)]
    except (OSError, urllib.error.URLError) as error:
        raise ClusterError(f"the assistant did not answer: {error}") from error


@contextlib.contextmanager
def forward(kubectl: Kubectl, namespace: str, assistant: str) -> Iterator[str]:
    """A loopback URL of the assistant's Service for as long as the block runs."""
    command = kubectl.command("-n", namespace, "port-forward", f"service/{assistant}", f":{ENGINE_PORT}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{_local_port(process, namespace, assistant)}"
        finally:
            process.terminate()


def _local_port(process: subprocess.Popen[str], namespace: str, assistant: str) -> int:
    """Wait for the line `Forwarding from 127.0.0.1:PORT -> 5005`."""
    assert process.stdout is not None
    deadline = time.monotonic() + FORWARD_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.2)[0]:
            line = process.stdout.readline()
            if "127.0.0.1:" in line:
                return int(line.split("127.0.0.1:")[1].split()[0])
    process.terminate()
    raise ClusterError(f"assistant {assistant} in namespace {namespace} cannot be reached: is it Ready?")


def _typed(assistant: str) -> Iterator[str]:
    print(f"You talk to {assistant}. An empty line ends the conversation.")
    while True:
        print("you> ", end="", flush=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line
