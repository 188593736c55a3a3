"""The engine's HTTP API as far as the helper beside it needs it."""

from contextlib import AbstractAsyncContextManager

import aiohttp

# While TensorFlow loads a model the engine answers nothing for half a minute: not an error, just not ready.
_TIMEOUT = aiohttp.ClientTimeout(total=3)
# Of a model that is put in: TensorFlow takes half a minute, on a busy node more.
_LOADING = aiohttp.ClientTimeout(total=300, connect=5)
_OK, _CONFLICT, _ERROR = 200, 409, 400


class ModelRefused(Exception):
    """The engine did not load a model; the text is its own."""


class EngineClient:
    """The engine in the same pod; `token` is the one it was started with."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Sends nothing yet."""
        self._session = session
        self._url = url
        self._token = token

    async def listens(self) -> bool:
        """Whether the engine could load a model now: it has one, or says that it has none."""
        try:
            async with self._status() as response:
                return response.status in (_OK, _CONFLICT)
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def load(self, path: str) -> None:
        """Replace its model by the file at `path`, as the engine sees it; it answers nothing meanwhile.

        https://rasa.com/docs/rasa/pages/http-api#operation/replaceModel. Raises ModelRefused.
        """
        try:
            async with self._session.put(
                f"{self._url}/model", params={"token": self._token}, json={"model_file": path}, timeout=_LOADING
            ) as response:
                if response.status >= _ERROR:
                    raise ModelRefused(f"{response.status} {(await response.text())[:1000]}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ModelRefused(f"PUT /model: {error!r}") from error

    async def loaded_model(self) -> str | None:
        """The file name of the model that is loaded; None while there is none, or no answer.

        `GET /` would answer 200 without a model, `GET /status` is 409 then:
        https://rasa.com/docs/rasa/pages/http-api#operation/getStatus
        """
        try:
            async with self._status() as response:
                if response.status != _OK:
                    return None
                status = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        model = status.get("model_file") if isinstance(status, dict) else None
        return str(model).rsplit("/", 1)[-1] if model else None

    def _status(self) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._session.get(f"{self._url}/status", params={"token": self._token}, timeout=_TIMEOUT)
