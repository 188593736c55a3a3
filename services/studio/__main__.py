"""`python -m studio <process>`: every process of the services' image; each imports only what it needs."""

import asyncio
import importlib
import os
import sys

# Module and arguments of each process's `main`; nothing of it is imported before it is asked for: memory counts.
PROCESSES: dict[str, tuple[str, ...]] = {
    "training-orchestrator": ("studio.model_service.orchestrators.training.process",),
    "running-orchestrator": ("studio.model_service.orchestrators.running.process",),
    "training-consumer": ("studio.model_service.consumers.consumer", "training"),
    "running-consumer": ("studio.model_service.consumers.consumer", "run"),
    "backend": ("studio.backend.process",),
    "ingestion": ("studio.ingestion.process",),
    "ingestion-replay": ("studio.ingestion.replay",),
    "migrate": ("studio.db.migrate",),
    "fetch": ("studio.model_service.helper.fetch",),
    "upload": ("studio.model_service.helper.upload",),
    "run-helper": ("studio.model_service.helper.run",),
    "warm-helper": ("studio.model_service.helper.warm",),
}
USAGE = 2


def main(arguments: list[str]) -> int:
    """Run one process; gives its exit code."""
    if len(arguments) != 1 or arguments[0] not in PROCESSES:
        sys.stderr.write(f"usage: python -m studio ({' | '.join(PROCESSES)})\n")
        return USAGE
    process = arguments[0]

    from studio.logging import configure
    from studio.settings import SettingsError

    configure(os.environ.get("LOG_LEVEL") or "INFO", process)
    try:
        module, *rest = PROCESSES[process]
        code = asyncio.run(importlib.import_module(module).main(*rest))
    except SettingsError as error:
        sys.stderr.write(f"{process}: {error}\n")
        return USAGE
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
