"""What can go wrong for a person at the command line, and the exit code that a script sees."""

from dataclasses import dataclass, field
from enum import IntEnum


class ExitCode(IntEnum):
    """How the program ends; documented in docs/cli.md and stable."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    UNREACHABLE = 4
    INTERRUPTED = 130


@dataclass(eq=False)
class CliError(Exception):
    """An end that is told in words: what happened, why, which fields are wrong, and what helps."""

    title: str
    detail: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    remedy: str = ""
    request_id: str = ""
    exit_code: ExitCode = ExitCode.REFUSED

    def __post_init__(self) -> None:
        super().__init__(self.title)


class Refused(CliError):
    """The Studio, or this program, refuses; `status` is that of the HTTP answer, 0 without one."""

    status: int = 0


class UsageError(CliError):
    """The command is not meant like this, or the configuration is not usable."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exit_code = ExitCode.USAGE


class NotSignedIn(CliError):
    """There is no token, or it is not accepted any more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exit_code = ExitCode.NOT_SIGNED_IN
        self.remedy = self.remedy or "Sign in with `studio login`."


class Unreachable(CliError):
    """The Studio, or its identity provider, gives no usable answer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exit_code = ExitCode.UNREACHABLE
