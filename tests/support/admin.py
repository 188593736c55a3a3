"""Keycloak's admin API as a person at the console uses it: whole objects, no care for others."""

from typing import Any, Self

import aiohttp

from studio_operator.ports import IdentityAccess


class Admin:
    """Paths are relative to `/admin/realms`."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str) -> None:
        self._http = http
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    @classmethod
    async def sign_in(cls, http: aiohttp.ClientSession, access: IdentityAccess) -> Self:
        form = {
            "grant_type": "client_credentials",
            "client_id": access.client_id,
            "client_secret": access.client_secret,
        }
        async with http.post(f"{access.url}/realms/master/protocol/openid-connect/token", data=form) as answer:
            assert answer.status == 200, await answer.text()
            return cls(http, access.url, (await answer.json())["access_token"])

    async def get(self, path: str, **query: str) -> Any:
        async with self._http.get(self._at(path), headers=self._headers, params=query) as answer:
            assert answer.status == 200, f"{path}: {answer.status} {await answer.text()}"
            return await answer.json()

    async def send(self, method: str, path: str, body: Any = None) -> None:
        async with self._http.request(method, self._at(path), headers=self._headers, json=body) as answer:
            assert answer.status < 300, f"{path}: {answer.status} {await answer.text()}"

    async def find(self, path: str, key: str, value: str) -> Any:
        """The one item of a list whose `key` is `value`."""
        return next(item for item in await self.get(path) if item[key] == value)

    def _at(self, path: str) -> str:
        return f"{self._url}/admin/realms/{path}".rstrip("/")
