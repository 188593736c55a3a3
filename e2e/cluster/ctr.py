"""Reads the output of ctr, containerd's command line client."""


def parse_images(table: str) -> dict[str, str]:
    """Read the digest by name from the output of ``ctr images list``; names that are mere digests are left out."""
    found = {}
    for line in table.splitlines()[1:]:
        name, _media_type, digest, *_ = line.split()
        if not name.startswith("sha256:"):
            found[name] = digest
    return found
