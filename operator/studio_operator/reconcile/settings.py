"""What the passes need of the operator's configuration."""

from dataclasses import dataclass

from studio_operator.images import Images


@dataclass(frozen=True)
class Settings:
    """Version and images that Studios follow, and who the operator is to the orchestrators."""

    version: str
    images: Images
    operator_subject: str
    auto_create_studio: bool = True
