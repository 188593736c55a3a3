"""Kubernetes quantities (`200m`, `2Gi`): reading and comparing them, and combining resource requirements.

Format: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal

PATTERN = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(m|k|[KMGTPE]i|[MGTPE]|[eE][-+]?[0-9]+)?$"

_DECIMAL = {"m": Decimal("0.001"), "": Decimal(1), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9)}
_DECIMAL |= {"T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18)}
_BINARY = {f"{prefix}i": Decimal(1024 ** (power + 1)) for power, prefix in enumerate("KMGTPE")}
_SUFFIXES = _DECIMAL | _BINARY

Requirements = dict[str, dict[str, str]]


def amount(quantity: str) -> Decimal:
    """The value of a quantity in its base unit (cores, bytes). Raises ValueError if it is not a quantity."""
    match = re.fullmatch(PATTERN, quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is not a quantity such as 200m, 1 or 2Gi")
    number, suffix = Decimal(match.group(1)), match.group(3) or ""
    return number * _SUFFIXES[suffix] if suffix in _SUFFIXES else Decimal(f"{match.group(1)}{suffix}")


def merged(defaults: Requirements, *overrides: Requirements) -> Requirements:
    """Resource requirements where later ones win per resource, and no request exceeds its limit.

    A default gives way to what was set: a limit below the default request lowers the request, and a request above
    the default limit raises the limit. Both would otherwise be refused by the API server.
    """
    requests, limits = dict(defaults.get("requests", {})), dict(defaults.get("limits", {}))
    for override in overrides:
        given_requests, given_limits = override.get("requests", {}), override.get("limits", {})
        requests |= given_requests
        limits |= given_limits
        for name in requests.keys() & limits.keys():
            if amount(requests[name]) <= amount(limits[name]):
                continue
            if name in given_limits:
                requests[name] = limits[name]
            elif name in given_requests:
                limits[name] = requests[name]
    return {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
