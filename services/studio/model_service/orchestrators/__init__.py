"""Orchestrators: what the operator and the Jobs' helpers ask, over one registry, for trainings and for runs."""
