"""One JSON object per line on stdout, for our own log calls and for those of every library.

Call `configure` once, first thing in a process. Then `structlog.get_logger(__name__)` and `logging.getLogger` write
the same form: timestamp (UTC), level, logger, event, process, and whatever was bound.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Keys whose values are secret wherever they turn up; token_file and the like are paths and may be seen.
_SECRET_KEY = re.compile(
    r"(^|_|-)(password|passwd|secret|token|authorization|credential|licen[cs]e|key)s?$", re.IGNORECASE
)
_HARMLESS_KEYS = frozenset({"key", "secret", "object_key", "log_key"})
_SECRET_TEXT = (
    # scheme://user:password@host
    (re.compile(r"(\w+://[^/\s:@]*):[^@\s/]+@"), r"\1:***@"),
    (re.compile(r"\b(bearer|basic)\s+[\w\-.~+/]{8,}=*", re.IGNORECASE), r"\1 ***"),
    # The signature of a presigned URL opens the object to whoever reads the log.
    (re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+", re.IGNORECASE), r"\1***"),
    # JSON Web Tokens.
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"), "***"),
)
_NOISY = (
    "aiohttp.access",
    "asyncio",
    "kopf.objects",
    "kopf.activities",
    "urllib3",
    "botocore",
    "boto3",
    "httpx",
    "aiokafka",
    "uvicorn.access",
)


def configure(level: str, process: str) -> None:
    """Send all logging to stdout as JSON; `level` is a name such as INFO, `process` is put into every line.

    Raises ValueError for a level that does not exist.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(process),
        redact,
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what is secret by its key or by its look, at any depth."""
    return {key: "***" if _is_secret(key) else _clean(value) for key, value in event.items()}


def _is_secret(key: Any) -> bool:
    return isinstance(key, str) and key not in _HARMLESS_KEYS and _SECRET_KEY.search(key) is not None


def _clean(value: Any) -> Any:
    match value:
        case str():
            for pattern, replacement in _SECRET_TEXT:
                value = pattern.sub(replacement, value)
            return value
        case dict():
            return {key: "***" if _is_secret(key) else _clean(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_clean(inner) for inner in value]
        case BaseException():
            return _clean(repr(value))
        case _:
            return value


def _named(process: str) -> structlog.typing.Processor:
    def add_process(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    return add_process
