"""References of all images, and the building of what is missing."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder import plan, staging
from builder.catalog import BASE, Image, argument_of
from builder.errors import BuildError
from builder.keys import REPOSITORY, image_key, reference
from builder.process import say
from builder.store import Store

# An older reference may still run in a cluster, or be what the other branch needs a minute from now.
KEPT_PER_IMAGE = 2


def version_of(root: Path) -> str:
    """The version of the product, for the images' labels."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def references(root: Path, images: Mapping[str, Image], order: Sequence[str], base_ref: str) -> dict[str, str]:
    """Full references of the images in ``order``, in which parents come first."""
    keys = {BASE: base_ref}
    arguments = {"VERSION": version_of(root)}
    for name in order:
        keys[name] = image_key(
            images[name], root=root, parent_keys=keys, arguments=arguments, sources_of=staging.sources_of
        )
    return {name: reference(name, keys[name]) for name in order}


def build(root: Path, images: Mapping[str, Image], order: Sequence[str], store: Store) -> dict[str, str]:
    """Build what the store lacks, prune what was superseded, and return the references."""
    refs = references(root, images, order, store.base_ref())
    todo = plan.missing(refs, order, store.references())
    if plan.needs_base(images, todo):
        store.ensure_base()
    for number, name in enumerate(todo, start=1):
        image = images[name]
        say(f"{name}: building {refs[name]} ({number} of {len(todo)})")
        staging.stage(root, image.inputs)
        parents = {argument_of(p): store.base_ref() if p == BASE else refs[p] for p in image.parents}
        store.build(image, refs[name], {**parents, "VERSION": version_of(root)})
        say(f"{name}: done, {store.size(refs[name]) / 1e6:.0f} MB")
        if references(root, images, order, store.base_ref())[name] != refs[name]:
            # Somebody is editing: which state went into the image is unknown, and a reference must not lie.
            store.remove([refs[name]])
            say(f"{name}: its sources changed during the build: building again")
            return build(root, images, order, store)
        _prune(name, refs[name], store)
    if not todo:
        say("every image is up to date")
    return refs


def _prune(name: str, current: str, store: Store) -> None:
    try:
        store.remove(plan.superseded(f"{REPOSITORY}/{name}", store.references(), current, KEPT_PER_IMAGE))
    except BuildError:
        say(f"{name}: an old image is still in use and stays")
