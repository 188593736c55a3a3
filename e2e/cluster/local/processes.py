"""Starts and ends the cluster's processes without ever mistaking another process for one of them.

A process is known by its id together with its start time (proc(5), /proc/<pid>/stat): ids are used again,
pairs are not. Records lie on a file system that a reboot empties, because start times count from the boot.
"""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

# Positions after the command's closing parenthesis in /proc/<pid>/stat: field 3 comes first.
_STATE, _START = 0, 19


@dataclass(frozen=True)
class ProcessRecord:
    """A process that was started.

    Attributes:
        name: the component's name.
        pid: its process id.
        started: clock ticks from the boot to its start.
    """

    name: str
    pid: int
    started: int


def parse_start(stat: str) -> int | None:
    """Read the start time from the content of /proc/<pid>/stat; None for a process that has ended (a zombie)."""
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[_STATE] in "ZX" else int(fields[_START])


def start_of(pid: int, proc: Path = Path("/proc")) -> int | None:
    """The start time of a running process in clock ticks from the boot, None when there is none."""
    try:
        return parse_start((proc / str(pid) / "stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_running(record: ProcessRecord) -> bool:
    """Tell whether the very process of the record still runs."""
    return start_of(record.pid) == record.started


def end_process(record: ProcessRecord, number: signal.Signals, seconds: float) -> bool:
    """Send a signal to the very process of the record and wait for its end.

    Returns:
        Whether it has ended, or had before.
    """
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return True
    try:
        # The handle cannot pass to another process, so what is checked here is what gets the signal.
        if not is_running(record):
            return True
        signal.pidfd_send_signal(handle, number)
        return bool(select.select([handle], [], [], seconds)[0])
    except ProcessLookupError:
        return True
    finally:
        os.close(handle)


class ProcessTable:
    """The records in one folder, a file for each process."""

    def __init__(self, folder: Path) -> None:
        """Keep the records in ``folder``."""
        self._folder = folder

    def start(self, name: str, command: Sequence[str], log: Path) -> None:
        """Start a process in a session of its own, with its output appended to ``log``, and record it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        # Not subprocess.Popen: that warns about children which outlive it, as these are meant to.
        pid = os.posix_spawnp(
            command[0],
            list(command),
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            # Python ignores this signal, and programs would inherit that.
            setsigdef=[signal.SIGPIPE],
        )
        started = start_of(pid)
        if started is not None:
            record = ProcessRecord(name, pid, started)
            (self._folder / f"{name}.json").write_text(json.dumps(asdict(record)))

    def records(self) -> tuple[ProcessRecord, ...]:
        """All records, also of processes that have ended; a file that a crash left unfinished is no record."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            with suppress(ValueError, TypeError):
                found.append(ProcessRecord(**json.loads(path.read_text())))
        return tuple(found)

    def running(self, name: str) -> bool:
        """Tell whether the process recorded under a name runs."""
        return any(is_running(record) for record in self.records() if record.name == name)

    def stop(self, names: Iterable[str] | None = None, *, force: bool = False, seconds: float = 10) -> None:
        """End recorded processes and forget them.

        Args:
            names: which ones; by default all.
            force: do not ask with SIGTERM before SIGKILL.
            seconds: how long each process may take to end when asked.
        """
        chosen = None if names is None else set(names)
        for record in self.records():
            if chosen is None or record.name in chosen:
                if force or not end_process(record, signal.SIGTERM, seconds):
                    end_process(record, signal.SIGKILL, seconds)
                (self._folder / f"{record.name}.json").unlink(missing_ok=True)


def running_processes(chosen: Callable[[Sequence[str]], bool], proc: Path = Path("/proc")) -> tuple[ProcessRecord, ...]:
    """Find the running processes whose command line, program first, is chosen."""
    found = []
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            started = start_of(int(folder.name), proc)
            if started is not None and words[0] and chosen(words):
                found.append(ProcessRecord(Path(words[0]).name, int(folder.name), started))
    return tuple(found)


def end_all(records: Iterable[ProcessRecord], deadline_seconds: float = 10) -> None:
    """Kill processes and wait for their end, for all of them together no longer than the deadline."""
    deadline = time.monotonic() + deadline_seconds
    for record in records:
        end_process(record, signal.SIGKILL, max(0.0, deadline - time.monotonic()))
