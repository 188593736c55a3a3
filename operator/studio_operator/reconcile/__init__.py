"""Pipelines: observe, decide, apply, report. One pass for one key, repeatable at any time, safe to die in."""

from studio_operator.reconcile.reconciler import Reconciler, Services
from studio_operator.reconcile.settings import Settings

__all__ = ["Reconciler", "Services", "Settings"]
