"""The images that the cluster itself runs: one static program each."""

from collections.abc import Mapping
from pathlib import Path

from cluster.command import run
from cluster.oci_archive import ImageSpec

PREFIX = "localhost/studio-operator"
PAUSE = f"{PREFIX}/pause:1"
COREDNS = f"{PREFIX}/coredns:1"
LOCAL_PATH = f"{PREFIX}/local-path-provisioner:1"
BUSYBOX = f"{PREFIX}/busybox:1"

# Programs that look up their user, or that refuse to start without one, need these entries.
PASSWD = b"root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
GROUP = b"root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n"


def busybox_image(program: bytes, applets: tuple[str, ...]) -> ImageSpec:
    """A shell and small Unix tools; ``applets`` become links to the one program."""
    return ImageSpec(
        name=BUSYBOX,
        files={"/bin/busybox": program, "/etc/passwd": PASSWD, "/etc/group": GROUP},
        links={f"/bin/{applet}": "busybox" for applet in applets if applet != "busybox"},
        writable=("/tmp",),
        entrypoint=("/bin/sh",),
    )


def single_program_image(name: str, program: bytes, arguments: tuple[str, ...] = ()) -> ImageSpec:
    """An image ``FROM scratch`` with one static program at the root."""
    path = "/" + name.rpartition("/")[2].partition(":")[0]
    return ImageSpec(name=name, files={path: program}, entrypoint=(path, *arguments))


def base_images(tools: Mapping[str, Path], busybox: Path = Path("/bin/busybox")) -> tuple[ImageSpec, ...]:
    """Read the programs and describe the images.

    Args:
        tools: the binaries of pause, coredns and local-path-provisioner by tool name.
        busybox: the static busybox of the Debian package busybox-static.

    Raises:
        CommandError: busybox does not run.
        OSError: a binary cannot be read.
    """
    applets = tuple(sorted(run([busybox, "--list"]).split()))
    return (
        single_program_image(PAUSE, tools["pause"].read_bytes()),
        single_program_image(COREDNS, tools["coredns"].read_bytes()),
        single_program_image(LOCAL_PATH, tools["local-path-provisioner"].read_bytes()),
        busybox_image(busybox.read_bytes(), applets),
    )
