"""The engine's HTTP API as far as the helper beside it needs it."""

import aiohttp

# While TensorFlow loads a model the engine answers nothing for half a minute: not an error, just not ready.
_TIMEOUT = aiohttp.ClientTimeout(total=3)
_OK = 200


class EngineClient:
    """The engine in the same pod; `token` is the one it was started with."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Sends nothing yet."""
        self._session = session
        self._url = url
        self._token = token

    async def loaded_model(self) -> str | None:
        """The file name of the model that is loaded; None while there is none, or no answer.

        `GET /` would answer 200 without a model, `GET /status` is 409 then:
        https://rasa.com/docs/rasa/pages/http-api#operation/getStatus
        """
        try:
            async with self._session.get(
                f"{self._url}/status", params={"token": self._token}, timeout=_TIMEOUT
            ) as response:
                if response.status != _OK:
                    return None
                status = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        model = status.get("model_file") if isinstance(status, dict) else None
        return str(model).rsplit("/", 1)[-1] if model else None
