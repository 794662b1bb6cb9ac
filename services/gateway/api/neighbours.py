"""The other services of the installation, asked over HTTP on their admin addresses (runtime/internal.py)."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from services.gateway.domain.problems import Problem

PUBLIC = ".public"


class Neighbours:
    """Knows where each service is. Raises Problem `service_unavailable` or `service_unknown`."""

    def __init__(self, addresses: Mapping[str, Sequence[str]], token: str) -> None:
        self._addresses = addresses
        headers = {"Authorization": f"Bearer {token}"}
        limits = httpx.Limits(keepalive_expiry=2)  # shorter than the 5 s after which the other side closes
        self._client = httpx.AsyncClient(headers=headers, trust_env=False, timeout=httpx.Timeout(10, connect=2), limits=limits)

    async def close(self) -> None:
        await self._client.aclose()

    @property
    def names(self) -> list[str]:
        return sorted(name for name in self._addresses if not name.endswith(PUBLIC))

    async def ask(self, service: str, path: str, **params: Any) -> tuple[int, Any]:
        """(status, JSON) of the first process of the service that answers."""
        return await self._send("GET", service, path, params={"service": service, **params})

    async def require(self, service: str, path: str, **params: Any) -> Any:
        """The JSON of an answer without which ours would be wrong. Raises Problem `service_unavailable` for all but a 200."""
        status, found = await self.ask(service, path, **params)
        if status != 200:
            raise Problem("service_unavailable", service=service)
        return found

    async def ask_all(self, service: str, path: str, live: Sequence[str]) -> list[tuple[int, Any] | None]:
        """The answer of each of these processes, or where none is known of those at the configured addresses; None: it did not answer."""

        async def one(address: str) -> tuple[int, Any] | None:
            try:
                return await self._send_to([address], "GET", service, path, params={"service": service})
            except Problem:
                return None

        return await asyncio.gather(*(one(address) for address in live or self._addresses[service]))

    async def tell(self, service: str, path: str, body: Any, **params: Any) -> tuple[int, Any]:
        return await self._send("POST", service, path, params={"service": service, **params}, json=body)

    async def stream(self, method: str, service: str, path: str, *, seconds: float = 120, **more: Any) -> httpx.Response:
        """The answer of the first process that can be reached, body unread: the caller closes it.

        seconds: for which nothing may be heard of it.
        """
        timeout = httpx.Timeout(seconds, connect=2)
        for address in self._addresses.get(service, ()):
            asked = self._client.build_request(method, f"{address}/internal{path}", timeout=timeout, **more)
            try:
                answer = await self._client.send(asked, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # it has read nothing of it, so another one may be asked
            except httpx.HTTPError as error:
                raise Problem("service_unavailable", service=service) from error
            if answer.status_code in (401, 502, 503):
                await answer.aclose()
                break
            return answer
        raise Problem("service_unavailable", service=service)

    async def _send(self, method: str, service: str, path: str, **more: Any) -> tuple[int, Any]:
        if service not in self._addresses:
            raise Problem("service_unknown", service=service)
        return await self._send_to(self._addresses[service], method, service, path, **more)

    async def _send_to(self, addresses: Sequence[str], method: str, service: str, path: str, **more: Any) -> tuple[int, Any]:
        for address in addresses:
            try:
                answer = await self._client.request(method, f"{address}/internal{path}", **more)
            except httpx.HTTPError:
                continue
            if answer.status_code >= 500 or answer.status_code == 401:
                raise Problem("service_unavailable", service=service)
            return answer.status_code, answer.json()
        raise Problem("service_unavailable", service=service)
