"""Which Studio to speak to: contexts in `config.yaml`, overruled by the environment."""

import contextlib
import ipaddress
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.cli.errors import UsageError

FILE_NAME = "config.yaml"
DEFAULT_CONTEXT = "default"


class NoStudio(UsageError):
    """Nothing says where the Studio is."""


@dataclass(frozen=True)
class Context:
    """One Studio under a name; `ca_file` is a PEM file of authorities to trust instead of the system's."""

    name: str
    url: str
    ca_file: str | None = None


@dataclass(frozen=True)
class Config:
    """All contexts, and the name of the one in use."""

    current: str | None = None
    contexts: Mapping[str, Context] = field(default_factory=dict)

    def with_context(self, context: Context) -> "Config":
        """The same with a context added or replaced, which is in use from now on."""
        return Config(context.name, {**self.contexts, context.name: context})

    def using(self, name: str) -> "Config":
        """The same with another context in use. Raises UsageError for one that does not exist."""
        if name not in self.contexts:
            known = ", ".join(sorted(self.contexts)) or "none"
            raise UsageError(
                f"There is no context {name!r}",
                f"Known: {known}.",
                remedy=f"Make it: `studio config set-url URL --context {name}`.",
            )
        return replace(self, current=name)

    def chosen(self, environ: Mapping[str, str], name: str | None = None) -> Context:
        """The context to speak to: `name`, else STUDIO_URL, else the one in use. Raises UsageError if there is none.

        A STUDIO_URL that a context also has is that context, so that its sign-in is used.
        """
        if name:
            return self.contexts[self.using(name).current or name]
        if url := environ.get("STUDIO_URL"):
            url = parse_url(url, "STUDIO_URL")
            same = [context for context in self.contexts.values() if context.url == url]
            ca_file = environ.get("STUDIO_CA_FILE") or None
            return next(iter(same), Context(url, url, ca_file))
        if self.current in self.contexts:
            return self.contexts[str(self.current)]
        raise NoStudio(
            "No Studio is configured",
            remedy="Say where it is: `studio config set-url http://localhost:8180`, or set STUDIO_URL.",
        )


def folder(environ: Mapping[str, str]) -> Path:
    """Where configuration and tokens are kept (https://specifications.freedesktop.org/basedir-spec/latest/)."""
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "studio"


def parse_url(text: str, name: str) -> str:
    """An http(s) URL without a trailing slash. Raises UsageError that names `name`."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{name} is not a URL", f"{text!r}: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{name} is not a URL", f"{text!r}.", remedy="Write it as https://studio.example.com.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(f"{name} must be an address alone", "It has a user, a query or a fragment.")
    return url


def travels_readable(url: str) -> bool:
    """Whether a token sent to this URL can be read on its way: plain http to another machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def load(path: Path) -> Config:
    """The configuration; an absent file is an empty one. Raises UsageError that names the file and the field."""
    import yaml  # only here: completion and help do without it

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read", str(error), remedy="Mend the file, or delete it.") from error
    return _from_data(found, path)


def save(path: Path, config: Config) -> None:
    """Write the configuration; a reader sees the old file or the new one."""
    import yaml

    data: dict[str, Any] = {
        "current": config.current,
        "contexts": {
            context.name: {"url": context.url} | ({"ca_file": context.ca_file} if context.ca_file else {})
            for context in config.contexts.values()
        },
    }
    write_atomically(path, yaml.safe_dump(data, sort_keys=False).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Put a file in place, readable by its owner alone, complete or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file 0600 from its first instant.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _from_data(found: Any, path: Path) -> Config:
    contexts: dict[str, Context] = {}
    entries = found.get("contexts") if isinstance(found, dict) else None
    if not isinstance(entries, dict | None) or not isinstance(found, dict):
        raise UsageError(f"{path}: `contexts` must be a map of names", remedy="Mend the file, or delete it.")
    for name, entry in (entries or {}).items():
        where = f"{path}: contexts.{name}"
        if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
            raise UsageError(f"{where}.url is missing", remedy=f"`studio config set-url URL --context {name}`.")
        contexts[str(name)] = Context(str(name), parse_url(entry["url"], f"{where}.url"), entry.get("ca_file"))
    return Config(found.get("current"), contexts)
