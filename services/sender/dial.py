"""Calls to places that others chose (webhooks, links of a letter): a name's numbers are looked at, and the call goes to the very number that was.

No proxy, no cookie, no redirect, and a connection serves one call: a kept one would lead to a number that was looked at for another moment
or another name.
"""

import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import httpx

from services.sender.channels.lookups import Lookups
from services.sender.webhook_addresses import Network, checked

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

SCHEMES = {"http": 80, "https": 443}
MOST_NUMBERS = 3  # of a name that are tried
_NOWHERE = frozenset((socket.EAI_NONAME, socket.EAI_NODATA))


class NoSuchName(OSError):  # noqa: N818
    """Servers of names answer that it is none."""


class Refused(Exception):  # noqa: N818
    """A number of the name may not be called; str: why (webhook_addresses)."""


class Dial:
    """allowed: networks that may be called beside the public internet. connections: at one time. threads: names asked for at one time."""

    def __init__(
        self,
        allowed: tuple[Network, ...],
        connections: int,
        threads: int,
        lookup: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed, self._lookups = allowed, Lookups(threads)
        self._resolve: Resolve = lookup or self._lookups
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=0)
        self._http = httpx.AsyncHTTPTransport(verify=tls or True, trust_env=False, limits=limits)

    async def close(self) -> None:
        await self._http.aclose()
        self._lookups.close()

    async def numbers(self, url: httpx.URL) -> list[str]:
        """Which may be called for it, one or more. Raises Refused, NoSuchName, and OSError where nobody can say."""
        try:
            told = await self._resolve(url.raw_host.decode("ascii"), url.port or SCHEMES[url.scheme])
        except UnicodeError as error:
            raise NoSuchName(str(error)) from error
        except socket.gaierror as error:
            if error.errno in _NOWHERE:
                raise NoSuchName(str(error)) from error
            raise
        good, why = checked(told, self._allowed)
        if why:
            raise Refused(why)
        if not good:
            raise NoSuchName("it has no numbers")
        return good[:MOST_NUMBERS]

    async def call(
        self,
        method: str,
        url: httpx.URL,
        number: str,
        headers: Iterable[tuple[str, str]],
        more: Mapping[str, Any],
        content: bytes | None = None,
    ) -> httpx.Response:
        """The head of an answer of this number; its name stands in Host, in SNI, and in what the certificate is checked against.

        more: extensions of httpcore. Raises httpx.HTTPError. Close what comes.
        """
        told = [("Host", url.netloc.decode("ascii")), ("Connection", "close"), *headers]
        bare = url.copy_with(host=number, username=None, password=None, fragment=None)
        extensions = {**more, "sni_hostname": url.raw_host.decode("ascii")}
        return await self._http.handle_async_request(
            httpx.Request(method, bare, headers=told, content=content, extensions=extensions)
        )
