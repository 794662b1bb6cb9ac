"""Pages that a letter leads to are asked whether they are there, at addresses that were looked at, and in bounded time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network

import httpx
import pytest
from starlette.applications import Starlette

from services.sender.link_checks import MOST, Found, LinkChecks, routes
from services.sender.settings import SenderSettings

HERE = (ip_network("127.0.0.1/32"),)
INNER = "10.0.0.7"


class Site:
    """A server of pages that notes what it is asked: `paths` says what each answers, None: nothing ever."""

    def __init__(self) -> None:
        self.paths: dict[str, tuple[int, str] | None] = {"/": (200, "")}
        self.asked: list[tuple[str, str, str]] = []
        self.headers: list[str] = []
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split("\r\n")[0].split(" ")
        host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host: "))
        self.asked.append((method, host, path))
        self.headers.append(head.lower())
        told = self.paths.get(f"{method} {path}", self.paths.get(path, (404, "")))
        if told is None:
            await reader.read()  # until who asked has gone
            writer.close()
        else:
            status, leads = told
            location = f"Location: {leads}\r\n" if leads else ""
            more = "Set-Cookie: a=b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(f"HTTP/1.1 {status} X\r\n{location}{more}".encode())
            await writer.drain()
            writer.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    yield site
    server.close()


async def resolve(host: str, _port: int) -> list[str]:
    """No resolver of the world knows these names: what reaches the site went to the number that was looked at."""
    known = {"shop.example": ["127.0.0.1"], "inner.example": [INNER], "mixed.example": ["127.0.0.1", INNER]}
    if host == "today.example":
        raise socket.gaierror(socket.EAI_AGAIN, "nobody who knows names answers")
    if host not in known:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return known[host]


async def asked(site: Site, *paths: str, allowed=HERE, seconds: float = 5.0) -> list[Found]:
    checks = LinkChecks(allowed, resolve)
    links = [path if "://" in path else f"http://shop.example:{site.port}{path}" for path in paths]
    try:
        found = await checks.of(links, seconds)
    finally:
        await checks.close()
    return [found[link] for link in links]


async def test_each_answers_with_its_status_and_a_server_that_knows_no_head_is_asked_again(site):
    site.paths |= {"/gone": (410, ""), "HEAD /odd": (405, ""), "/odd": (200, ""), "/busy": (503, "")}
    found = await asked(site, "/", "/gone", "/nothing", "/odd", "/busy")
    assert [one.status for one in found] == [200, 410, 404, 200, 503]
    assert [method for method, _, path in site.asked if path == "/odd"] == ["HEAD", "GET"]
    assert {host for _, host, _ in site.asked} == {f"shop.example:{site.port}"}


async def test_redirects_are_followed_without_cookies_and_each_address_is_looked_at(site):
    there = f"http://shop.example:{site.port}"
    site.paths |= {
        "/a": (302, "/b"), "/b": (301, f"{there}/"), "/round": (302, "/round"), "/in": (302, f"http://inner.example:{site.port}/secret"),
        "/file": (302, "file:///etc/passwd"), "/number": (302, f"http://{INNER}/"),
    }  # fmt: skip
    found = await asked(site, "/a", "/round", "/in", "/file")
    assert found == [Found(200), Found(why="redirects"), Found(why="refused"), Found(why="redirects")]
    assert not any("cookie" in head for head in site.headers)
    assert not any(path == "/secret" for _, _, path in site.asked)


@pytest.mark.parametrize(("link", "why"), [
    ("http://inner.example/", "refused"), ("http://mixed.example/", "refused"), ("http://nobody.example/", "unresolved"), ("ftp://shop.example/", "redirects"),
    ("http://today.example/", "no_answer"),
])  # fmt: skip
async def test_what_is_no_public_page_is_not_called(site, link: str, why: str):
    assert await asked(site, link) == [Found(why=why)]
    assert site.asked == []


async def test_nothing_of_this_machine_is_called_where_nobody_allows_it(site):
    assert await asked(site, "/", allowed=()) == [Found(why="refused")]
    assert site.asked == []


async def test_what_says_nothing_in_time_has_no_answer_and_does_not_hold_up_the_others(site):
    site.paths["/still"] = None
    assert await asked(site, "/still", "/", seconds=0.5) == [Found(why="no_answer"), Found(200)]


async def test_the_door_says_that_it_is_shut_and_takes_so_many_links_at_most():
    calls: list[str] = []

    class Checks(LinkChecks):
        async def of(self, links, seconds=0.0):
            calls.extend(links)
            return {link: Found(404) for link in links}

    for on in (True, False):
        app = Starlette(routes=list(routes(SenderSettings(check_links=on), lambda: Checks((), resolve))))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sender") as door:
            told = await door.post("/links/check", json={"links": ["http://a.example/"]})
            assert told.json() == {"on": on, "links": {"http://a.example/": {"status": 404}} if on else {}}
            many = await door.post("/links/check", json={"links": ["http://a.example/"] * (MOST + 1)})
            assert many.status_code == 400
    assert calls == ["http://a.example/"]
