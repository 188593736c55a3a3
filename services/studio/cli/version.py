"""Which version of the command line this is."""

import functools
from importlib import metadata

DISTRIBUTION = "studio-operator"


@functools.cache
def version() -> str:
    """The installed version; `checkout` when the program runs from the source tree."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "checkout"
