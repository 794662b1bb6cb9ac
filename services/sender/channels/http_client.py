"""The HTTP client of provider adapters: one pinned host, no redirects, no proxies from the environment, and the truth about timeouts."""

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from .contract import Outcome, Result, Started

# Both log request URLs; a bot's token is a part of its URL.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

# Whatever raised one of these, not a byte of the request has left.
NOTHING_WRITTEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Seconds to connect and to wait for an answer, and how many requests may be on their way at one time."""

    connections: int = 10
    connect_s: float = 10.0
    answer_s: float = 30.0


def client(base_url: str, settings: HttpSettings, tls: ssl.SSLContext | bool = True) -> httpx.AsyncClient:
    """A client that talks to `base_url` alone; https, except to this machine (fakes)."""
    url = httpx.URL(base_url)
    if url.scheme != "https" and url.host not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError(f"a provider's address must be https, got {url.scheme}://{url.host}")
    return httpx.AsyncClient(
        base_url=url,
        follow_redirects=False,
        trust_env=False,
        verify=tls,
        timeout=httpx.Timeout(settings.answer_s, connect=settings.connect_s, pool=settings.connect_s + settings.answer_s),
        limits=httpx.Limits(
            max_connections=settings.connections, max_keepalive_connections=settings.connections, keepalive_expiry=30.0
        ),
    )


async def post(
    http: httpx.AsyncClient, path: str, body: Mapping[str, Any], started: Started | None, *, form: bool = False
) -> httpx.Response | Result:
    """The answer, whatever its status, or the Result of not getting one: `transient` before a byte was written, `unknown` after.

    body: sent as JSON, or as a form.
    """
    request = http.build_request("POST", path, data=body) if form else http.build_request("POST", path, json=body)
    if request.url.host != http.base_url.host:
        raise ValueError("a request may not leave the provider's host")
    if started is not None:
        await started()
    try:
        return await http.send(request)
    except NOTHING_WRITTEN as error:
        return Result(Outcome.TRANSIENT, code=_reason(error))
    except httpx.HTTPError as error:
        return Result(Outcome.UNKNOWN, code=_reason(error))


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    """The body as a JSON object, or None."""
    try:
        found = response.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _reason(error: httpx.HTTPError) -> str:
    return type(error).__name__  # its text may hold the URL
