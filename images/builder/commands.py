"""Command lines of the tools, as pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.catalog import Image

# Nothing of the documentation of packages is read inside a container. The licences stay.
_NOT_UNPACKED = ("man/*", "locale/*", "doc/*", "info/*", "lintian/*")
BASE_PACKAGES = ("ca-certificates", "python3", "python3-venv", "usr-is-merged")
# Whose package sources these were is the builder's machine's business; nobody changes users inside a container.
_BASE_CLEANUP = (
    (
        'rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/hostname "$1"/etc/resolv.conf '
        '"$1"/var/log/apt "$1"/var/log/*.log "$1"/var/cache/debconf/*-old'
    ),
    'find "$1" -xdev -perm /6000 -type f -exec chmod a-s {} +',
)


def base_recipe() -> list[str]:
    """What the local base consists of: the options of mmdebstrap that determine the result."""
    return [
        "--mode=root",
        "--variant=apt",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{pattern}" for pattern in _NOT_UNPACKED),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f"--include={','.join(BASE_PACKAGES)}",
        *(f"--customize-hook={hook}" for hook in _BASE_CLEANUP),
    ]


def mmdebstrap(target: Path, sources: Sequence[Path]) -> list[str]:
    """Make the root file system of the base from the machine's own package sources."""
    return ["mmdebstrap", *base_recipe(), "bookworm", str(target), *map(str, sources)]


@dataclass(frozen=True)
class Buildah:
    """buildah with a store of its own."""

    store: Path
    driver: str

    def command(self, *arguments: str) -> list[str]:
        """A call of buildah on our store."""
        places = ("--root", str(self.store / "root"), "--runroot", str(self.store / "run"))
        return ["buildah", *places, "--storage-driver", self.driver, *arguments]

    def build(
        self,
        image: Image,
        ref: str,
        *,
        arguments: Mapping[str, str],
        volumes: Sequence[str],
        secrets: Mapping[str, Path],
    ) -> list[str]:
        """Build one image from the repository root, which must be the working directory."""
        return self.command(
            "bud",
            "--isolation=chroot",
            "--network=host",
            "--format=oci",
            # Layers keep the installed packages when only our own sources have changed.
            "--layers",
            "--pull-never",
            *_build_options(image, ref, arguments, secrets),
            *(f"--volume={volume}" for volume in volumes),
            ".",
        )


def docker_build(image: Image, ref: str, *, arguments: Mapping[str, str], secrets: Mapping[str, Path]) -> list[str]:
    """Build one image with Docker's BuildKit and leave it in Docker's own store."""
    return ["docker", "buildx", "build", "--load", *_build_options(image, ref, arguments, secrets), "."]


def _build_options(image: Image, ref: str, arguments: Mapping[str, str], secrets: Mapping[str, Path]) -> list[str]:
    return [
        f"--file={image.containerfile}",
        f"--tag={ref}",
        *(f"--build-arg={name}={value}" for name, value in sorted(arguments.items())),
        *(f"--secret=id={name},src={path}" for name, path in sorted(secrets.items())),
    ]
