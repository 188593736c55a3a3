"""Where images are kept and built: buildah with a store of its own, or Docker. Both answer the same questions."""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from builder import clients, commands
from builder.catalog import PUBLIC_BASE, Image
from builder.commands import Buildah
from builder.errors import BuildError
from builder.keys import REPOSITORY, digest, reference
from builder.process import answers, output_of, run, say


def cache_folder() -> Path:
    """The folder for the store, caches and logs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "studio-operator" / "images"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One builder at a time: two would build the same images twice."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another builder is running: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _ensure_programs(root: Path) -> None:
    """Install buildah and mmdebstrap where they are missing, in the one way in which the project installs packages."""
    if not all(shutil.which(program) for program in ("buildah", "mmdebstrap")):
        say("installing the Debian packages buildah and mmdebstrap")
        output_of([sys.executable, "-m", "cluster", "packages", "buildah", "mmdebstrap"], cwd=root / "e2e")


class Store(Protocol):
    """What the builder needs from a container tool."""

    def base_ref(self) -> str:
        """Reference of the common base."""

    def references(self) -> list[str]:
        """References in the store, newest first."""

    def ensure_base(self) -> None:
        """Make the common base available."""

    def build(self, image: Image, ref: str, arguments: Mapping[str, str]) -> None:
        """Build one image."""

    def remove(self, refs: Sequence[str]) -> None:
        """Remove references, and what only they needed."""

    def push(self, ref: str, target: str, *, tls: bool) -> None:
        """Send an image to a registry, as `target`."""

    def size(self, ref: str) -> int:
        """Bytes of an image, all layers unpacked."""


class BuildahStore:
    """Images in a store of our own below the cache folder, built as root without a daemon."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        # buildah keeps temporary layers and `RUN --mount=type=cache` folders here.
        self._env = {"TMPDIR": str(folder / "tmp")}
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        if os.geteuid():
            raise BuildError("Building with buildah needs root here: use sudo, or --with docker.")
        _ensure_programs(root)
        # Overlay on overlay (a container's own disk) does not work; vfs works everywhere and copies every layer.
        overlay = Buildah(folder, "overlay")
        works = answers(overlay.command("info"))
        self.buildah = overlay if works else Buildah(folder, "vfs")
        self.env = self._env

    def base_ref(self) -> str:
        """Reference of the common base, by its recipe."""
        return reference("base", digest(commands.base_recipe()))

    def references(self) -> list[str]:
        """References in the store, newest first."""
        images = json.loads(output_of(self.buildah.command("images", "--json"), env=self._env) or "[]")
        newest = sorted(images or [], key=lambda image: str(image.get("createdatraw", "")), reverse=True)
        names = [name for image in newest for name in image.get("names") or []]
        return [name for name in names if name.startswith(f"{REPOSITORY}/")]

    def ensure_base(self) -> None:
        """Make a minimal Debian from the machine's package sources, once."""
        ref = self.base_ref()
        if ref in self.references():
            return
        say(f"base: making {ref}")
        archive = self._folder / "tmp" / "base.tar"
        archive.unlink(missing_ok=True)
        log = self._folder / "logs" / "base.log"
        run(commands.mmdebstrap(archive, clients.apt_sources()), log=log, cwd=self._root, env=self._env)
        container = self._buildah("from", "scratch").strip()
        try:
            self._buildah("add", "--quiet", container, str(archive), "/")
            self._buildah("config", "--cmd", "/bin/sh", "--env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", container)
            self._buildah("commit", "--quiet", "--format=oci", container, ref)
        finally:
            self._buildah("rm", container)
            archive.unlink()

    def build(self, image: Image, ref: str, arguments: Mapping[str, str]) -> None:
        """Build one image on what is in the store."""
        command = self.buildah.build(
            image,
            ref,
            arguments=arguments,
            volumes=clients.build_volumes(self._folder),
            secrets=clients.secrets(self._folder),
        )
        run(command, log=self._folder / "logs" / f"{image.name}.log", cwd=self._root, env=self._env)

    def remove(self, refs: Sequence[str]) -> None:
        """Remove references and the layers that only they needed; what somebody still works with stays for later."""
        if refs:
            with suppress(BuildError):
                self._buildah("rmi", *refs)
                self._buildah("rmi", "--prune")

    def push(self, ref: str, target: str, *, tls: bool) -> None:
        """Send an image to a registry, with the logins of `buildah login` and `docker login`."""
        verify = f"--tls-verify={str(tls).lower()}"
        command = self.buildah.command("push", "--quiet", verify, ref, f"docker://{target}")
        run(command, log=self._folder / "logs" / "push.log", cwd=self._root, env=self._env)

    def size(self, ref: str) -> int:
        """Bytes of an image, all layers unpacked."""
        images = json.loads(self._buildah("images", "--json", ref))
        return _bytes(str(images[0]["size"]))

    def _buildah(self, *arguments: str) -> str:
        return output_of(self.buildah.command(*arguments), cwd=self._root, env=self._env)


class DockerStore:
    """Images in Docker's own store, built from the public base."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder

    def base_ref(self) -> str:
        """The public base image."""
        return PUBLIC_BASE

    def references(self) -> list[str]:
        """References in the store, newest first."""
        names = output_of(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", f"{REPOSITORY}/*"])
        return names.split()

    def ensure_base(self) -> None:
        """Docker pulls the base itself."""

    def build(self, image: Image, ref: str, arguments: Mapping[str, str]) -> None:
        """Build one image with BuildKit."""
        command = commands.docker_build(image, ref, arguments=arguments, secrets=clients.secrets(self._folder))
        run(command, log=self._folder / "logs" / f"{image.name}.log", cwd=self._root)

    def remove(self, refs: Sequence[str]) -> None:
        """Remove references; Docker removes the layers that only they needed."""
        if refs:
            output_of(["docker", "rmi", *refs])

    def push(self, ref: str, target: str, *, tls: bool) -> None:
        """Send an image to a registry; Docker itself knows which ones are asked without TLS."""
        del tls
        output_of(["docker", "tag", ref, target])
        run(["docker", "push", "--quiet", target], log=self._folder / "logs" / "push.log", cwd=self._root)
        output_of(["docker", "rmi", target])

    def size(self, ref: str) -> int:
        """Bytes of an image, all layers unpacked."""
        return int(output_of(["docker", "image", "inspect", "--format", "{{.Size}}", ref]))


def open_store(kind: str, root: Path) -> BuildahStore | DockerStore:
    """The store to use; ``auto`` takes Docker only if its daemon answers."""
    folder = cache_folder()
    if kind == "docker" or (kind == "auto" and answers(["docker", "info"])):
        return DockerStore(root, folder)
    return BuildahStore(root, folder)


def _bytes(text: str) -> int:
    """A size as buildah prints it ("1.25 GB") in bytes."""
    number, _, unit = text.partition(" ")
    return int(float(number) * 1000 ** ["B", "KB", "MB", "GB", "TB"].index(unit.upper()))
