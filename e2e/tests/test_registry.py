"""Clusters of somebody else pull their images from a registry, to which the builder pushes them."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.packages import ensure_packages
from stage.kubectl import REPOSITORY
from studio_e2e.waiting import eventually

# The smallest one.
IMAGE = "object-store"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry on a free port of the loopback; its images end with the test."""
    ensure_packages(["docker-registry"], print)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}
    config = tmp_path / "registry.yaml"
    config.write_text(json.dumps({"version": "0.1", "storage": storage, "http": {"addr": address}}))
    with (tmp_path / "registry.log").open("wb") as log:
        command = ["docker-registry", "serve", str(config)]
        with subprocess.Popen(command, stdout=log, stderr=log) as server:
            try:
                eventually("the registry answers", lambda: answers(address), within=20)
                yield address
            finally:
                server.terminate()


def answers(address: str) -> bool:
    with socket.socket() as probe:
        host, port = address.split(":")
        return probe.connect_ex((host, int(port))) == 0


def test_images_are_pushed_under_the_names_that_the_manifests_give(registry: str) -> None:
    environment = {**os.environ, "STUDIO_REGISTRY": f"{registry}/team/studio", "PYTHONPATH": "images:e2e"}
    builder = [sys.executable, "-m", "builder"]
    for _ in range(2):
        subprocess.run([*builder, "load", IMAGE], cwd=REPOSITORY, env=environment, check=True, timeout=300)
    refs = subprocess.check_output([*builder, "refs"], cwd=REPOSITORY, env=environment, timeout=120)
    name, _, tag = json.loads(refs)[IMAGE].removeprefix(f"{registry}/").rpartition(":")
    with urllib.request.urlopen(f"http://{registry}/v2/{name}/tags/list", timeout=10) as answer:
        assert json.load(answer) == {"name": f"team/studio/{IMAGE}", "tags": [tag]}
