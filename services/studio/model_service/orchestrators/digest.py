"""One number for a specification, the same for the same meaning. Pure."""

import hashlib
import json
from typing import Any


def digest(value: Any) -> str:
    """The sha256 (hex) of a JSON value, whatever the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
