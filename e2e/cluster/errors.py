"""The one exception that a user of the cluster command sees."""


class ClusterError(Exception):
    """Something the user can act on; the message is one sentence that says what is wrong and how to mend it."""
