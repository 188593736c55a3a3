"""A real Kubernetes cluster for the end-to-end tests, also on machines without Docker and without an image registry.

Run it as ``PYTHONPATH=e2e python -m cluster --help``; docs/local-cluster.md explains it.
"""
