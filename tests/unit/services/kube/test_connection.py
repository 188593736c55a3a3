"""How the connection to the API server is made."""

import pytest
from kubernetes.aio.client.configuration import Configuration

from studio.kube import connection

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.mark.parametrize(
    ("environment", "looked_for"),
    [({}, False), ({"NO_PROXY": ".svc"}, False), ({"HTTPS_PROXY": "http://proxy:3128"}, True)],
    ids=["none", "none for some", "one"],
)
async def test_a_proxy_is_looked_for_only_where_there_may_be_one(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], looked_for: bool
) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    configuration = type.__call__(Configuration)
    client = connection.rest_client(configuration, user_agent="test")
    session = client._create_pool_manager()
    try:
        assert session.trust_env is looked_for
    finally:
        await session.close()
