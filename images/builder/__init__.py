"""Builds the container images: references that carry their content, Docker or buildah, hand-over to the cluster."""
