"""What an engine has written lately: whether it still goes on, and how far it is.

The end of the log is read again and again instead of one long stream: nothing is held in memory but that end, and there
is no connection to be lost, whoever attends the training and however the log is rotated.
"""

from time import monotonic

import structlog

from studio.contract.model_service import Progress
from studio.kube import Kube, KubeError
from studio.model_service.engine_log import progress

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
_LINES = 100
_BYTES = 256 * 1024


class LogTail:
    """The end of the log of one container, of one pod after another."""

    def __init__(self, kube: Kube, namespace: str, container: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._container = container
        self._pod = ""
        self._text = ""
        self._looked = -LOOK_SECONDS
        self._heard = monotonic()
        self.progress = Progress()

    @property
    def silent_seconds(self) -> float:
        """Since something new was read, as far as this consumer has seen."""
        return monotonic() - self._heard

    async def look(self, pod: str) -> None:
        """Read the end of the log, unless that was just done. A log that cannot be read is not taken for silence."""
        if pod != self._pod:
            self._pod, self._text, self._heard, self.progress = pod, "", monotonic(), Progress()
        elif monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = monotonic()
        try:
            text = await self._kube.logs(self._namespace, pod, self._container, last_bytes=_BYTES, last_lines=_LINES)
        except KubeError as error:
            log.info("the end of a log cannot be read", pod=pod, error=str(error))
            self._heard = monotonic()
            return
        if text != self._text:
            self._text, self._heard = text, monotonic()
            self.progress = progress(text, self.progress)
