"""A cluster of one node made of plain processes in a network namespace of its own: no Docker, no registry."""
