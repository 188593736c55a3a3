"""The server of a process."""

import asyncio
import signal
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

log = structlog.get_logger(__name__)

GRACE_SECONDS = 5


class Server(uvicorn.Server):
    """uvicorn that tells the app's open streams to end when a signal asks it to stop."""

    def __init__(self, app: FastAPI, *, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 (a pod's own network)
        super().__init__(
            uvicorn.Config(
                app, host=host, port=port, log_config=None, access_log=False, server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS, timeout_keep_alive=65, limit_concurrency=512,
            )
        )  # fmt: skip
        self._closing: asyncio.Event = app.state.closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; asked twice, at once. The exit code is 0, where uvicorn would raise the signal again."""
        del frame
        log.info("stopping", signal=signal.Signals(sig).name)
        self.force_exit = self.should_exit
        self.end()

    def end(self) -> None:
        """Ask the server to stop, from within the process."""
        self._closing.set()
        self.should_exit = True
