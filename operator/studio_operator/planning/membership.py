"""Which Studio an Assistant belongs to."""

from studio.kube import Manifest

DEFAULT_STUDIO = "studio"


def studio_of(assistant: Manifest) -> str:
    """The name of the Assistant's Studio, read from the raw object so that an invalid spec still counts."""
    reference = (assistant.get("spec") or {}).get("studioRef") or {}
    return str(reference.get("name") or DEFAULT_STUDIO)


def names_a_studio(assistant: Manifest) -> bool:
    """Whether the Assistant names its Studio itself; only an unnamed one is created for it."""
    return bool(((assistant.get("spec") or {}).get("studioRef") or {}).get("name"))
