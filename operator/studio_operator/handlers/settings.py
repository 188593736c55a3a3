"""How kopf is to behave: it only watches."""

import kopf

from studio_operator.runtime.watched import Watched

# The server ends each stream after this long, so that a watch that nobody opens again is noticed.
SERVER_TIMEOUT_SECONDS = 240
# A bookmark comes about once a minute.
INACTIVITY_SECONDS = 90
REQUEST_SECONDS = 30
PAGE = 500


def build_settings(watched: tuple[Watched, ...]) -> kopf.OperatorSettings:
    """The settings for `kopf.operator`; the selectors make the API server send only what is ours."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # No rights on namespaces and CustomResourceDefinitions are needed then; the slow pass waits for our own.
    settings.scanning.disabled = True
    # A limit below the number of objects can deadlock (kopf #1243); handlers do no I/O, so none is needed.
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = 1.0
    settings.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    settings.watching.inactivity_timeout = INACTIVITY_SECONDS
    settings.watching.chunk_size = PAGE
    settings.networking.request_timeout = REQUEST_SECONDS
    for entry in watched:
        resource = (entry.kind.group, entry.kind.version, entry.kind.plural)
        if entry.labels:
            settings.watching.label_selectors[resource] = entry.labels
        if entry.fields:
            settings.watching.field_selectors[resource] = entry.fields
    return settings
