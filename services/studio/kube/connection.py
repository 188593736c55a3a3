"""How this process reaches the API server: address, trust, and a bearer token that is read again as it rotates."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.request import getproxies

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType, ClientMiddlewareType
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import load_incluster_config
from kubernetes.aio.config.kube_config import load_kube_config

from studio.kube.errors import Unavailable

DEFAULT_KUBECONFIG = Path.home() / ".kube" / "config"


async def load_configuration() -> Configuration:
    """KUBECONFIG when it is set, else the pod's service account, else ~/.kube/config.

    In a pod the client library reads the token file again once a minute: the kubelet rotates it hourly.
    Raises Unavailable when there is nothing to connect with.
    """
    # The class is called through `type` to get a fresh object instead of a copy of the process-wide default.
    configuration: Configuration = type.__call__(Configuration)
    kubeconfig = os.environ.get("KUBECONFIG")
    try:
        if not kubeconfig and os.environ.get("KUBERNETES_SERVICE_HOST"):
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            await load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig or str(DEFAULT_KUBECONFIG),
                client_configuration=configuration,
                persist_config=False,
            )
    except (ConfigException, OSError) as error:
        raise Unavailable(0, "NoConfiguration", f"no Kubernetes API server is configured: {error}") from error
    return configuration


def rest_client(
    configuration: Configuration,
    *,
    user_agent: str,
    middlewares: Sequence[ClientMiddlewareType] = (),
    response_class: type[aiohttp.ClientResponse] = aiohttp.ClientResponse,
) -> RESTClientObject:
    """A client whose every request carries the token of the moment, whoever sends it."""
    configuration.connection_pool_maxsize = 0  # aiohttp: no limit; watches would otherwise starve other requests
    configuration.client_session_kwargs = {
        "headers": {"User-Agent": user_agent},
        "middlewares": (_bearer(configuration), *middlewares),
        "response_class": response_class,
        # With it each request looks for a proxy and for a netrc, in a thread of its own each.
        "trust_env": any(scheme != "no" for scheme in getproxies()),
    }
    return RESTClientObject(configuration)


async def open_session(
    *,
    user_agent: str,
    middlewares: Sequence[ClientMiddlewareType] = (),
    response_class: type[aiohttp.ClientResponse] = aiohttp.ClientResponse,
) -> tuple[str, aiohttp.ClientSession]:
    """The API server's URL and a session for it, for a framework that brings its own requests."""
    configuration = await load_configuration()
    client = rest_client(configuration, user_agent=user_agent, middlewares=middlewares, response_class=response_class)
    session: aiohttp.ClientSession = client._create_pool_manager()  # noqa: SLF001 documented as a hook for subclasses
    return configuration.host, session


def _bearer(configuration: Configuration) -> ClientMiddlewareType:
    async def add_token(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        token = await configuration.get_api_key_with_prefix("BearerToken")
        if token:
            request.headers["Authorization"] = token
        return await handler(request)

    return add_token
