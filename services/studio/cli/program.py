"""What every command has at hand: the configuration, the API with its credentials, and where to print."""

import functools
import os
import ssl
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli import config
from studio.cli.cleaning import clean
from studio.cli.config import Config, Context
from studio.cli.errors import CliError, UsageError

# Only for types: help and completion do without HTTP and rich, which take half of the start.
if TYPE_CHECKING:
    import httpx2
    from rich.console import Console

    from studio.cli.client import Api
    from studio.cli.credentials import Credentials
    from studio.cli.identity import IdentityProvider
    from studio.cli.tokens import TokenFile


@dataclass(frozen=True)
class World:
    """Everything outside of the program; tests give another one."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    transport: "httpx2.BaseTransport | None" = None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    open_browser: Callable[[str], bool] = webbrowser.open
    as_kubectl: bool = False


@dataclass
class Program:
    """One run of the command line. Everything is made when it is first needed."""

    world: World = field(default_factory=World)
    context_name: str | None = None
    verbose: bool = False

    @functools.cached_property
    def folder(self) -> Path:
        """Where configuration and tokens are kept."""
        return config.folder(self.world.environ)

    @property
    def config(self) -> Config:
        """The configuration as it is on disk now. Raises UsageError."""
        return config.load(self.folder / config.FILE_NAME)

    def save(self, changed: Config) -> None:
        """Keep another configuration. Raises UsageError."""
        try:
            config.save(self.folder / config.FILE_NAME, changed)
        except OSError as error:
            raise UsageError(f"{self.folder} cannot be written", error.strerror or str(error)) from error

    @functools.cached_property
    def context(self) -> Context:
        """The Studio to speak to. Raises UsageError if nothing says which."""
        try:
            return self.config.chosen(self.world.environ, self.context_name)
        except config.NoStudio:
            from studio.cli import kubectl

            url = kubectl.public_url() if self.world.as_kubectl else None
            if url is None:
                raise
            return Context(url, url)

    @functools.cached_property
    def tokens(self) -> "TokenFile":
        """The signed-in sessions of this person."""
        from studio.cli.tokens import TokenFile

        return TokenFile(self.folder)

    @functools.cached_property
    def http(self) -> "httpx2.Client":
        """The connections of this run; redirects are not followed, so that no token goes where it should not."""
        import httpx2

        from studio.cli.client import TIMEOUT
        from studio.cli.version import version

        return httpx2.Client(
            verify=self._trust(),
            transport=self.world.transport,
            timeout=TIMEOUT,
            headers={"User-Agent": f"studio-cli/{version()}"},
        )

    @functools.cached_property
    def api(self) -> "Api":
        """The back end, spoken to as whoever is signed in."""
        return self._api(self.credentials)

    @functools.cached_property
    def public_api(self) -> "Api":
        """The back end without a sign-in: for what it tells everybody."""
        return self._api(None)

    @functools.cached_property
    def studio(self) -> dict[str, Any]:
        """What the Studio tells everybody: version, issuer, client ids."""
        from studio.cli.errors import Unreachable

        found = self.public_api.get("/config")
        if not isinstance(found, dict) or not {"issuer", "cli_client_id"} <= found.keys():
            raise Unreachable(
                "This address is not a Studio's", self.context.url, remedy="Check it with `studio config show`."
            )
        return found

    @functools.cached_property
    def credentials(self) -> "Credentials":
        """What the environment gives, else the signed-in session."""
        from studio.cli.credentials import SignedInSession, from_environment

        clock = self.world.clock
        given = from_environment(self.world.environ, lambda: self.provider(self.studio["issuer"]), clock)
        return given or SignedInSession(self.context, self.tokens, self.provider, clock)

    def provider(self, issuer: str) -> "IdentityProvider":
        """The identity provider of an issuer."""
        from studio.cli.identity import IdentityProvider

        return IdentityProvider(self.http, issuer)

    @functools.cached_property
    def out(self) -> "Console":
        """Where results go."""
        return _console(sys.stdout)

    @functools.cached_property
    def err(self) -> "Console":
        """Where progress, hints and errors go, so that results can be piped."""
        return _console(sys.stderr)

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def say(self, message: str) -> None:
        """Tell the person something that is not the result."""
        self.err.print(clean(message), markup=False, highlight=False, soft_wrap=True)

    def _api(self, credentials: "Credentials | None") -> "Api":
        from studio.cli.client import Api

        trace = self.say if self.verbose else lambda _line: None
        return Api(self.http, self.context.url, credentials, sleep=self.world.sleep, trace=trace)

    def _trust(self) -> "ssl.SSLContext | bool":
        if self.context.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=self.context.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"The CA file {self.context.ca_file} cannot be used", str(error)) from error


def _console(stream: Any) -> "Console":
    from rich.console import Console

    # Without a terminal nothing is cut off: what is piped has to be whole.
    return Console(file=stream, width=None if stream.isatty() else 4096, highlight=False, emoji=False)


def describe(program: Program, error: CliError) -> None:
    """Print an error: what, why, which fields, what helps, and the id under which the Studio logged it."""
    program.say(f"error: {error.title}" + (f": {error.detail}" if error.detail else ""))
    for name, message in error.fields:
        program.say(f"  {name}: {message}")
    if error.remedy:
        program.say(f"  {error.remedy}")
    if error.request_id:
        program.say(f"  request id: {error.request_id}")
