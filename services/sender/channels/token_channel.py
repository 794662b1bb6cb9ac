"""What channels over HTTP with one token have in common: what is asked and answered, and a pause that holds for the whole token."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import httpx

from .contract import Outcome, Rendered, Result, Started
from .http_client import HttpSettings, client, json_object, post


class Ask(NamedTuple):
    """A call of the provider. form: the body is sent as one, else as JSON."""

    path: str
    body: Mapping[str, Any]
    form: bool = False


class TokenChannel(ABC):
    """name: of the channel, in codes. `monotonic` (seconds) measures the pause after "too many"; the loop's clock unless given."""

    def __init__(self, name: str, base_url: str, http: HttpSettings, monotonic: Callable[[], float] | None) -> None:
        self.connections = http.connections
        self._name = name
        self._http: httpx.AsyncClient = client(base_url, http)
        self._monotonic = monotonic
        self._not_before = 0.0

    @abstractmethod
    def ask(self, message: Rendered) -> Ask | Result:
        """The call that sends a message, or why it cannot be sent."""

    @abstractmethod
    def read(self, status: int, body: dict[str, Any] | None) -> Result:
        """What an answer means."""

    async def send(self, message: Rendered, started: Started | None = None) -> Result:
        pause = self._not_before - self._now()
        if pause > 0:
            return Result(Outcome.THROTTLED, code=f"{self._name}:pause", retry_after_ms=int(pause * 1000) + 1)
        ask = self.ask(message)
        if isinstance(ask, Result):
            return ask
        answer = await post(self._http, ask.path, ask.body, started, form=ask.form)
        if isinstance(answer, Result):
            return answer
        result = self.read(answer.status_code, json_object(answer))
        if result.outcome is Outcome.THROTTLED and result.retry_after_ms:
            self._not_before = max(self._not_before, self._now() + result.retry_after_ms / 1000)
        return result

    async def close(self) -> None:
        await self._http.aclose()

    def _now(self) -> float:
        return self._monotonic() if self._monotonic else asyncio.get_running_loop().time()
