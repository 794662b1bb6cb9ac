"""Somebody who talks with a bot: tells the webhook of a fake messenger what he does, again until it is taken, as the real ones do."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

TRIES = 5
PAUSE_S = 0.2


class Told(NamedTuple):
    """One update as it went out."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]


class Webhook:
    """Where updates go to. told: all of them, oldest first. url "": nobody has asked for them, and they are kept only."""

    def __init__(self) -> None:
        self.url = ""
        self.told: list[Told] = []
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)

    async def tell(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> httpx.Response | None:
        """The answer, once it is a good one; the last one otherwise."""
        self.told.append(Told(body, headers))
        return await self._post(self.told[-1])

    async def again(self) -> list[int]:
        """Tell everything once more, as a messenger does that was not answered. The statuses."""
        answers = [await self._post(told) for told in list(self.told)]
        return [answer.status_code for answer in answers if answer is not None]

    async def close(self) -> None:
        await self._http.aclose()

    async def _post(self, told: Told) -> httpx.Response | None:
        answer: httpx.Response | None = None
        for number in range(TRIES if self.url else 0):
            await asyncio.sleep(PAUSE_S if number else 0)
            try:
                answer = await self._http.post(self.url, json=told.body, headers=told.headers)
            except httpx.HTTPError:
                continue
            if answer.is_success:
                break
        return answer
