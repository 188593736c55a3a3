"""What can go wrong with the event broker, by what helps: waiting, or somebody's hand."""


class EventBrokerError(Exception):
    """The broker refuses: a right or a setting must be changed, and the text says which."""


class EventBrokerUnavailable(Exception):
    """The broker cannot be reached or does not let us in; a moment later it may."""
