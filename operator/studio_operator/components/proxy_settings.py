"""studio.conf of the entry proxy: what its fixed routes (images/entry-proxy/nginx.conf) do not know, as nginx maps.

Nothing in it needs quoting: names, origins and URLs were matched against patterns that leave out quotes and `$`.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from studio.contract.identity import REALM
from studio.contract.labels import Component
from studio_operator.components.context import StudioContext
from studio_operator.components.talk import TalkRoute

_USUAL_PORTS = {"http": 80, "https": 443}
_A_YEAR = "max-age=31536000"


def studio_conf(context: StudioContext) -> str:
    """The text of the file."""
    return "\n".join([*_constants(context), _own_origin(context), _keycloak(context), *_talk(context.talk)])


def _constants(context: StudioContext) -> list[str]:
    public = urlsplit(context.spec.public_url)
    known = {
        "public_scheme": public.scheme,
        "public_authority": public.netloc,
        "public_port": str(public.port or _USUAL_PORTS[public.scheme]),
        "transport_security": _A_YEAR if public.scheme == "https" else "",
        "web_client": context.child(Component.WEB_CLIENT),
        "backend": context.child(Component.BACKEND),
        "keycloak": context.child(Component.KEYCLOAK),
    }
    return [_map("$host", f"${name}", value, {}) for name, value in known.items()]


def _own_origin(context: StudioContext) -> str:
    return _map("$http_origin", "$foreign", "1", {"": "0", context.spec.public_url: "0"})


def _keycloak(context: StudioContext) -> str:
    """The paths of Keycloak that are served: the realm, and its administration only where the spec says so."""
    embedded = context.spec.identity.embedded
    served = []
    if embedded:
        served = [f"realms/{REALM}/", "resources/"] + (["realms/master/", "admin/"] if embedded.admin_console else [])
    entries = {f"~^/auth/{path}": "1" for path in served}
    return _map("$request_uri", "$keycloak_serves", "0", entries)


def _talk(routes: Iterable[TalkRoute]) -> list[str]:
    allowed: dict[str, str] = {}
    origins: dict[str, str] = {}
    for route in routes:
        allowed |= {f"{route.assistant}/{channel}": "1" for channel in route.channels}
        for origin in route.origins:
            key = f"~^{route.assistant} ." if origin == "*" else f"{route.assistant} {origin}"
            origins[key] = "$http_origin" if origin == "*" else origin
    return [
        _map('"$assistant/$channel"', "$talk", "0", allowed),
        _map('"$assistant $http_origin"', "$talk_origin", "", origins),
    ]


def _map(source: str, variable: str, default: str, entries: dict[str, str]) -> str:
    lines = [f'    default "{default}";'] + [f'    "{key}" "{value}";' for key, value in entries.items()]
    return "\n".join([f"map {source} {variable} {{", *lines, "}\n"])
