"""What an object said while nobody looked: words and numbers that are true for a second only."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import groupby
from threading import Thread

from studio_e2e.assistants import Assistant
from studio_e2e.space import Space


@contextmanager
def values_of(space: Space, kind: str, name: str, path: str) -> Iterator[list[str]]:
    """All values at a jsonpath of an object, in their order, from before the block until after it.

    There is one for each change of the object, of whatever in it. The list is behind the API server by some moments:
    wait for the last value that is to be in it before the block ends.
    """
    output = f'jsonpath={path}{{"\\n"}}'
    command = space.kubectl.command("-n", space.name, "get", kind, name, "--watch", "-o", output)
    seen = list[str]()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        lines = watch.stdout
        seen.append(lines.readline().strip())
        reader = Thread(target=lambda: seen.extend(line.strip() for line in lines), daemon=True)
        reader.start()
        try:
            yield seen
        finally:
            watch.terminate()
            reader.join(timeout=10)


def messages_of(assistant: Assistant, kind: str) -> AbstractContextManager[list[str]]:
    """All messages of a condition, in their order, from before the block until after it."""
    path = f'{{.status.conditions[?(@.type=="{kind}")].message}}'
    return values_of(assistant.space, "assistant", assistant.name, path)


def folded(values: Iterable[str]) -> list[str]:
    """The same without those that only repeat the one before."""
    return [value for value, _ in groupby(values)]
