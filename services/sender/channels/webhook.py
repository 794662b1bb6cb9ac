"""Webhooks out: one signed POST to a customer's system. It goes to the very address that was checked, and follows nothing."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from runtime.clock import wall_ms
from services.sender.dial import SCHEMES, Dial, Refused, Resolve
from services.sender.webhook_addresses import Network

from .contract import Outcome, Rendered, Result, Started
from .http_client import NOTHING_WRITTEN
from .webhook_signature import headers as signature

MOST_ANSWER = 65_536  # bytes of an answer that are read; nothing of it is kept
CONNECT_S = 5.0
REST_S = 1.0  # for the rest of an answer, once its status is there
# A gateway says these; who stands behind it may have taken the call. 408 (the request did not come whole) and 500 (it was not done) are the
# receiver's own word, as 503 is.
_DOUBTFUL = frozenset((502, 504))
_LATER = frozenset((408, 429))


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """allowed: networks that may be called beside the public internet; http: whether plain http is allowed."""

    allowed: tuple[Network, ...] = ()
    http: bool = False
    connections: int = 16


class WebhookChannel:
    """`Rendered.address`: the URL; `text`: the body; `headers`; `options`: {"secrets", "timeout_s", "content_type", "version"}."""

    def __init__(self, settings: WebhookSettings, lookup: Resolve | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.connections = settings.connections
        self._http = settings.http
        self._dial = Dial(settings.allowed, settings.connections, threads=2 * settings.connections, lookup=lookup, tls=tls)

    async def send(self, message: Rendered, started: Started | None = None) -> Result:
        try:
            url = httpx.URL(message.address)
        except httpx.InvalidURL:
            return Result(Outcome.REJECTED, code="webhook:url")
        found = await self._addresses(url)
        if isinstance(found, Result):
            return found
        if started is not None:
            await started()
        begun = asyncio.Event()
        try:
            async with asyncio.timeout(float(message.options["timeout_s"])):
                answer = await self._call(message, url, found, begun)
        except TimeoutError:
            return Result(Outcome.UNKNOWN if begun.is_set() else Outcome.TRANSIENT, code="webhook:timeout")
        return answer if isinstance(answer, Result) else await _read(answer)

    async def close(self) -> None:
        await self._dial.close()

    async def _addresses(self, url: httpx.URL) -> list[str] | Result:
        if url.scheme not in SCHEMES or (url.scheme == "http" and not self._http):
            return Result(Outcome.FORBIDDEN_ADDRESS, code=f"webhook:{url.scheme or 'no scheme'}")
        try:
            async with asyncio.timeout(CONNECT_S):
                return await self._dial.numbers(url)
        except Refused as refused:
            return Result(Outcome.FORBIDDEN_ADDRESS, code=f"webhook:{refused}")
        except OSError:  # TimeoutError is one
            return Result(Outcome.TRANSIENT, code="webhook:unresolved")

    async def _call(
        self, message: Rendered, url: httpx.URL, addresses: Sequence[str], begun: asyncio.Event
    ) -> httpx.Response | Result:
        """begun: set before the first byte of the request leaves. A number that does not answer leaves time for the others."""

        async def watch(step: str, _about: Any) -> None:
            if step.endswith("send_request_headers.started"):
                begun.set()

        failed = Result(Outcome.TRANSIENT, code="webhook:unreachable")
        limits = _limits(float(message.options["timeout_s"]), len(addresses))
        headers, body = _headers(message), message.text.encode()
        for address in addresses:
            try:
                return await self._dial.call("POST", url, address, headers, {"timeout": limits, "trace": watch}, body)
            except NOTHING_WRITTEN as error:
                failed = Result(Outcome.TRANSIENT, code=f"webhook:{type(error).__name__}")
            except httpx.LocalProtocolError:  # what we would say is no HTTP: it never will be
                return Result(Outcome.REJECTED, code="webhook:LocalProtocolError")
            except httpx.HTTPError as error:
                return Result(Outcome.UNKNOWN, code=f"webhook:{type(error).__name__}")
        return failed


async def _read(response: httpx.Response) -> Result:
    """The status rules, whatever becomes of the rest: it is read so that the other side is not cut off in the middle of a short one."""
    size = 0
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(REST_S):
            async for part in response.aiter_raw():
                size += len(part)
                if size > MOST_ANSWER:
                    break
    with contextlib.suppress(httpx.HTTPError, OSError):
        await response.aclose()
    return read_answer(response.status_code, response.headers, wall_ms())


def _headers(message: Rendered) -> list[tuple[str, str]]:
    options = message.options
    return [
        ("User-Agent", "Otklik-Webhooks/1"),
        ("Content-Type", str(options["content_type"])),
        ("Accept-Encoding", "identity"),
        *signature(message.key, wall_ms() // 1000, message.text.encode(), options["secrets"]),
        *message.headers,
    ]


def _limits(timeout: float, addresses: int) -> dict[str, float]:
    return {"connect": min(CONNECT_S, timeout / (addresses + 1)), "read": timeout, "write": timeout, "pool": timeout}


def read_answer(status: int, headers: Mapping[str, str], now: int) -> Result:
    """Pure. What a status means; now: ms, for a Retry-After that names a date."""
    code = f"webhook:{status}"
    if 200 <= status < 300:
        return Result(Outcome.ACCEPTED, code=code)
    if status == 410:
        return Result(Outcome.GONE, code=code)
    if status in _LATER or status >= 500:
        outcome = Outcome.UNKNOWN if status in _DOUBTFUL else Outcome.THROTTLED if status == 429 else Outcome.TRANSIENT
        return Result(outcome, code=code, retry_after_ms=retry_after_ms(headers.get("retry-after", ""), now))
    return Result(Outcome.REJECTED, code=code)


def retry_after_ms(text: str, now: int) -> int | None:
    """Of seconds or an HTTP date; None where it says neither."""
    if text.strip().isdecimal() and len(text) < 10:
        return int(text) * 1000
    try:
        at = parsedate_to_datetime(text)
        return max(0, int(at.timestamp() * 1000) - now)
    except (ValueError, TypeError, OverflowError):
        return None
