"""How package clients are configured on this machine, handed to builds without entering an image.

A machine may use mirrors or a certificate authority of its own. The settings of pip, npm and Maven travel as build
secrets, apt's and the certificates as read-only mounts; none of them is part of a layer.
"""

import ast
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from builder.process import output_of

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Files of a Debian machine; other lists may belong to third parties and are not needed.
_APT_SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
# Settings about this machine's disk and terminal, which mean nothing inside a build.
_PIP_LOCAL = frozenset({"cert", "cache-dir", "log", "require-virtualenv", "user", "target", "prefix", "find-links"})


def pip_settings(listing: str) -> dict[str, str]:
    """Global pip settings from the lines of ``pip config list``; the environment wins over files."""
    settings: dict[str, str] = {}
    environment: dict[str, str] = {}
    for line in listing.splitlines():
        name, separator, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if not separator or option in _PIP_LOCAL:
            continue
        if section == ":env:":
            environment[option] = ast.literal_eval(value)
        elif section in {"global", "install"}:
            settings[option] = ast.literal_eval(value)
    return settings | environment


def pip_conf(settings: Mapping[str, str]) -> str:
    """A pip configuration file; a value of several words or lines becomes several lines."""
    lines = ["[global]"]
    for option, value in sorted(settings.items()):
        lines.append(f"{option} = " + "\n    ".join(value.split()))
    return "\n".join(lines) + "\n"


def write_pip_conf(target: Path) -> Path:
    """Write the machine's pip settings to a file for the build."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600)
    target.write_text(pip_conf(pip_settings(output_of([sys.executable, "-m", "pip", "config", "list"]))))
    return target


def copy_npmrc(target: Path) -> Path:
    """Copy the user's npm settings to a file for the build; no settings make an empty file."""
    source = Path(os.environ.get("NPM_CONFIG_USERCONFIG") or Path.home() / ".npmrc")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600)
    target.write_text(source.read_text() if source.is_file() else "")
    return target


def copy_maven_settings(target: Path) -> Path:
    """Copy the user's Maven settings to a file for the build; no settings make an empty element."""
    source = Path.home() / ".m2" / "settings.xml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600)
    target.write_text(source.read_text() if source.is_file() else "<settings/>\n")
    return target


def secrets(folder: Path) -> dict[str, Path]:
    """What every build may read while it runs, by the id of the secret."""
    return {
        "maven": copy_maven_settings(folder / "maven.xml"),
        "npm": copy_npmrc(folder / "npmrc"),
        "pip": write_pip_conf(folder / "pip.conf"),
    }


def apt_sources() -> list[Path]:
    """The Debian package sources of this machine; none means the defaults of the tools."""
    return [path for path in _APT_SOURCES if path.is_file()]


def copy_apt_settings(target: Path) -> Path:
    """Copy apt's configuration to a fresh folder: packages write into it while they install, and nothing may stay."""
    shutil.rmtree(target, ignore_errors=True)
    others = shutil.ignore_patterns("*.list", "*.sources")
    shutil.copytree("/etc/apt", target, ignore=others)
    for path in apt_sources():
        shutil.copy2(path, target / path.relative_to("/etc/apt"))
    return target


def build_volumes(folder: Path) -> list[str]:
    """Mounts for builds on the local base, which has no package sources of its own."""
    volumes = [f"{copy_apt_settings(folder / 'apt')}:/etc/apt"] if Path("/etc/apt").is_dir() else []
    return volumes + ([f"{_CERTIFICATES}:{_CERTIFICATES}:ro"] if _CERTIFICATES.exists() else [])
