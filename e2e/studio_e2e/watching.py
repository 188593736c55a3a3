"""What a condition said while nobody looked: words that are true for a second only."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from studio_e2e.assistants import Assistant


@contextmanager
def messages_of(assistant: Assistant, kind: str) -> Iterator[list[str]]:
    """All messages of a condition, in their order, from before the block until after it."""
    path = f'jsonpath={{.status.conditions[?(@.type=="{kind}")].message}}{{"\\n"}}'
    space, seen = assistant.space, list[str]()
    command = space.kubectl.command("-n", space.name, "get", "assistant", assistant.name, "--watch", "-o", path)
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
