"""The ways into the installation: HTTP only, as for anybody outside."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from deploy.demo.faults import DemoError
from deploy.local import secrets
from deploy.local.settings import LocalSettings

AGENT = "otklik-demo-simulated"  # opens and clicks of nobody: labelled wherever they are seen
PAGE = 1000
PATIENCE_S = 120.0
TRIES = 5  # as official SDKs do: "not now" and a lost connection are asked again; everything asked here may come twice
NOT_NOW = (429, 503)


class Ways:
    """Clients of the gateway and of the mail catcher. Every answer that is not what was asked for raises DemoError."""

    def __init__(self, settings: LocalSettings) -> None:
        keys = secrets.ensure_keys(settings)
        base = f"http://127.0.0.1:{settings.port}"
        more: dict[str, Any] = {
            "timeout": PATIENCE_S,
            "trust_env": False,
            "limits": httpx.Limits(max_connections=16, keepalive_expiry=2),
        }
        self._api = httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {keys['api_key']}"}, **more)
        self._track = httpx.AsyncClient(base_url=base, auth=(keys["write_key"], ""), **more)
        self._links = httpx.AsyncClient(base_url=base, headers={"User-Agent": AGENT}, **more)
        self._mails = httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.mail_port}", **more)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.gather(*(client.aclose() for client in (self._api, self._track, self._links, self._mails)))

    # ---- management

    async def get(self, path: str, **params: Any) -> Any:
        return _json(await _asked(self._api, "GET", path, params=params))

    async def post(self, path: str, body: Any) -> Any:
        return _json(await _asked(self._api, "POST", path, json=body))

    async def upload(self, path: str, content: bytes, params: Mapping[str, Any]) -> Any:
        """A CSV. It is sent once: a second one would be another import."""
        headers = {"Content-Type": "text/csv"}
        return _json(await self._api.post(path, content=content, params=dict(params), headers=headers))

    async def pages(self, path: str) -> list[dict[str, Any]]:
        """All items of a list."""
        items: list[dict[str, Any]] = []
        cursor: Any = None
        while True:
            page = await self.get(path, limit=PAGE, **({"next": cursor} if cursor is not None else {}))
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    async def clock(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.get("/api/clock")
        return found

    async def drive(self, at: int) -> None:
        _json(await _asked(self._api, "PUT", "/api/clock", json={"now": at}))

    async def settle(self) -> int:
        """Wait until nothing moves any more; how many rounds of turns it took."""
        answer = await self.get("/api/quiet")
        if not answer["quiet"]:
            raise DemoError(
                f"the installation does not come to rest: {answer}. Mend: look at the logs (make logs), then run make demo again"
            )
        return int(answer["rounds"])

    # ---- tracking

    async def track(self, calls: Sequence[bytes]) -> None:
        """One batch; returns with the 2xx."""
        body = b'{"batch":[' + b",".join(calls) + b"]}"
        _json(await _asked(self._track, "POST", "/v1/batch", content=body, headers={"Content-Type": "application/json"}))

    # ---- mails, and what a reader does with their links

    async def mails(self, after: int) -> list[dict[str, Any]]:
        """Mails caught after the one with this number, oldest first: `id`, `at` (wall ms), `to`, `message_id`."""
        found: list[dict[str, Any]] = []
        while True:
            page = _json(
                await self._mails.get("/api/mails", params={"after": found[-1]["id"] if found else after, "limit": 10_000})
            )
            found += page["mails"]
            if not page["mails"] or found[-1]["id"] >= page["total"]:
                return found

    async def mail(self, number: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = _json(await _asked(self._mails, "GET", f"/api/mails/{number}"))
        return found

    async def follow(self, path: str, expected: int) -> None:
        _expect(await _asked(self._links, "GET", path), expected)

    async def press(self, path: str) -> None:
        """The one-click unsubscribe of RFC 8058."""
        _expect(await _asked(self._links, "POST", path, data={"List-Unsubscribe": "One-Click"}), 200)


async def _asked(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    for left in reversed(range(TRIES)):
        try:
            answer = await client.request(method, path, **more)
        except httpx.TransportError:
            if not left:
                raise
        else:
            if answer.status_code not in NOT_NOW or not left:
                return answer
        await asyncio.sleep(0.2)
    raise AssertionError("the last try answers or raises")


def _json(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise _unexpected(answer)
    return msgspec.json.decode(answer.content)


def _expect(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise _unexpected(answer)


def _unexpected(answer: httpx.Response) -> DemoError:
    asked = f"{answer.request.method} {answer.request.url.path}"
    return DemoError(
        f"{asked} answered {answer.status_code}: {answer.text[:500]}. Mend: look at the logs (make logs), then run make demo again"
    )
