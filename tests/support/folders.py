"""Where the servers of tests keep their data: in memory where there is room, for all of it is thrown away.

A database made and dropped costs a tenth there of what it costs on ext4, and hundreds of tests make one each.
"""

import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
# Of four servers of each kind, with the largest tests under way. Containers often have 64 MiB.
ROOM_BYTES = 2 * 1024**3


def make(prefix: str) -> Path:
    """A new folder with a name that begins with `prefix`; whoever asks for it removes it."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if roomy else None))
