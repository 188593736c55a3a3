"""What an engine's log says about why it failed: progress bars and colours stripped, the telling words found.

Pure. The samples behind the rules are real output of Rasa 3.6.21 (tests/data/engine_logs).
"""

import re

from studio.contract.model_service import Progress

# Rasa prints the exception that ends it in bright red and its warnings in yellow, also without a terminal.
_RED = re.compile(r"\x1b\[91m(.*?)\x1b\[0m", re.DOTALL)
_YELLOW = re.compile(r"\x1b\[93m(.*?)\x1b\[0m", re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# tqdm: `Processed rules:  50%|█████     | 1/2 [00:00<?, ?it/s]` and `Processed actions: 5it [00:00, 31347.56it/s]`.
_PROGRESS = re.compile(r"(\d+%\|.*\|\s*\S+/\S+\s*\[|\d+(?:\.\d+)?[a-z]*it \[\d).*\]")
_WARNING_SOURCE = re.compile(r"^\S+\.py:\d+: \w*Warning: ")
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"^(?:[\w]+\.)*([A-Z]\w*(?:Error|Exception|Exit|Interrupt|NotFound|Rule|Warning)?): ?(.*)$")
_ERROR_LINE = re.compile(r"(?:^\S+ \S+ (?:ERROR|CRITICAL)\s+\S+\s+- |^(?:\S+: )?error: )", re.IGNORECASE)
_UNREAD_FILE = re.compile(r"could not be (?:loaded|read|parsed)|Failed to (?:load|read)")
_ADVERTISEMENT = re.compile(
    r"^(You can use https://yamlchecker\.com|You can find more information about|More info at).*$|"
    r"\s*You can use https://yamlchecker\.com/ to validate the YAML syntax of your file\.$"
)
# Where a training's pod keeps the content: users know the files, not the folder.
_CONTENT_FOLDER = re.compile(r"/work/content/(?:data/|domain/)?")
_LAST_LINES = 5
_COMPONENT = re.compile(r"(Starting to train|Finished training) component '(\w+)'")
# The bars of components that train in epochs: `Epochs:  12%|█▏        | 12/100 [00:03<00:26, …]`.
_EPOCHS = re.compile(r"Epochs:\s+(\d{1,3})%\|")
# Smaller steps are told to nobody.
PERCENT_STEP = 5
NOTHING_KNOWN = Progress()


def progress(tail: str, before: Progress = NOTHING_KNOWN) -> Progress:
    """How far a training is by the end of its log, after `before`; percentages move in steps of PERCENT_STEP."""
    current = before
    for line in re.split(r"[\r\n]+", tail):
        if component := _COMPONENT.search(line):
            name = component[2] if component[1].startswith("Starting") else ""
            current = current if name == current.step else Progress(step=name)
        elif epochs := _EPOCHS.search(line):
            current = current.model_copy(update={"percent": int(epochs[1]) // PERCENT_STEP * PERCENT_STEP})
    return current


def clean(log: str) -> str:
    """`log` as a person would have seen it on a terminal: no colours, only the last state of each line, no bars."""
    cleaner = Cleaner()
    return "".join(f"{line}\n" for raw in log.split("\n") for line in cleaner.lines(raw))


class Cleaner:
    """The same line by line, for a log that is still being written: the same lines under the same numbers."""

    def __init__(self) -> None:
        self._begun = False
        self._blank = 0

    def lines(self, raw: str) -> list[str]:
        """What is known to stay after one more raw line: blank lines count only once something follows them."""
        line = _last_state(raw.removesuffix("\r"))
        if line is None:
            # What comes before a bar is the end of its last state.
            self._blank = 0
            return []
        if not line:
            self._blank += self._begun
            return []
        ready = [""] * self._blank + [line]
        self._begun, self._blank = True, 0
        return ready


def extract(log: str, *, limit: int = 1000) -> str:
    """The engine's own words about its failure, at most `limit` characters; empty if the log is empty.

    In this order: the last message in red, the exception at the end of the last traceback, the last error lines,
    the last lines at all. A file that the engine could not read is named first, for then the rest only follows.
    """
    normal = log.replace("\r\n", "\n")
    words = _last_red(normal) or _last_exception(normal) or _error_lines(normal) or _ending(normal)
    unread = [warning for warning in _warnings(normal) if _UNREAD_FILE.search(warning)]
    if unread and unread[0] not in words:
        words = f"{unread[0]}\n{words}"
    return _shorten(_tidy(words), limit)


def last_lines(log: str, *, limit: int = 1000) -> str:
    """The last lines that a person would have seen, at most `limit` characters."""
    return _shorten(_tidy(_ending(log.replace("\r\n", "\n"))), limit)


def _last_state(line: str) -> str | None:
    """What remains of a line after its carriage returns; None for a line that was only a progress bar."""
    states = [state for state in line.split("\r") if state]
    if not states:
        return ""
    kept = [state for state in states if not _PROGRESS.search(state)]
    return _ANSI.sub("", kept[-1]).rstrip() if kept else None


def _last_red(log: str) -> str:
    return next((text for text in reversed([m.strip() for m in _RED.findall(log)]) if text), "")


def _last_exception(log: str) -> str:
    """The message of the last traceback: from its first line that is not indented to the end of the log."""
    _, found, rest = clean(log).rpartition(_TRACEBACK)
    if not found:
        return ""
    lines = rest.strip("\n").split("\n")
    start = next((number for number, line in enumerate(lines) if line and not line[0].isspace()), None)
    if start is None:
        return ""
    first = _EXCEPTION.match(lines[start])
    head = f"{first[1]}: {first[2]}" if first else lines[start]
    return "\n".join([head, *lines[start + 1 :]])


def _error_lines(log: str) -> str:
    lines = [line for line in clean(log).splitlines() if _ERROR_LINE.search(line)]
    return "\n".join(_ERROR_LINE.sub("", line) for line in lines[-_LAST_LINES:])


def _ending(log: str) -> str:
    lines = [line for line in clean(log).splitlines() if line.strip()]
    return "\n".join(lines[-_LAST_LINES:])


def _warnings(log: str) -> list[str]:
    return [_WARNING_SOURCE.sub("", text.strip()).split("\n")[0] for text in _YELLOW.findall(log)]


def _tidy(words: str) -> str:
    lines = [_ADVERTISEMENT.sub("", line.rstrip()) for line in _ANSI.sub("", words).split("\n")]
    return _CONTENT_FOLDER.sub("", "\n".join(line for line in lines if line.strip())).strip()


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
