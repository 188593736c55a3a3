"""Make the installed engine smaller and faster to start; fail the build when a patched text is not as expected.

Nothing that Rasa does changes: test suites and C++ headers go, and one slow loop is written without its detour.
"""

import shutil
import sys
from pathlib import Path

# Sub-packages that only run the libraries' own tests. (`testing` and `_testing` are used in production and stay.)
TEST_FOLDERS = ("tests", "conformance_tests")
LEFTOVERS = (
    "tensorflow/include",  # headers for compiling C++ operators
    "test",  # test suite of a package that installs it at the top level
    "LICENSE.txt",
    "README.md",
    "pyproject.toml",
    "tox.ini",
)

# skops looks up the module of each of ~750 numpy and scipy functions in every loaded module: a million failed look-ups
# whose error messages, never shown, took 4 s of each training and of each first load of a scikit-learn model.
# For a name without dots, getattr with a default is the same question without the message.
SLOW_LOOKUP = """        try:
            if _getattribute(module, name)[0] is obj:
"""
FAST_LOOKUP = """        try:
            if "." not in name:
                if getattr(module, name, whichmodule) is obj:
                    return module_name
                continue
            if _getattribute(module, name)[0] is obj:
"""


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def replace(path: Path, old: str, new: str) -> None:
    """Replace a text that occurs exactly once."""
    text = path.read_text()
    if text.count(old) != 1:
        sys.exit(f"{path}: the text to patch is not there; check whether the new version still needs the patch.")
    path.write_text(text.replace(old, new))


def main(site: Path) -> None:
    """Apply everything to a site-packages folder."""
    for name in TEST_FOLDERS:
        for folder in sorted(site.rglob(name)):
            remove(folder)
    for leftover in LEFTOVERS:
        remove(site / leftover)
    replace(site / "skops/io/_utils.py", SLOW_LOOKUP, FAST_LOOKUP)


main(Path(sys.argv[1]))
