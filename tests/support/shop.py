"""One brand of an installation, with a source, documents and customers of its own: what a shop and its customers do, and see.

Everything goes by the public interfaces: tracking calls, the management API, the links in letters, the mail catcher.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.support.installation import Installation
from tests.support.live import until

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
START = 1_798_761_600_000  # 2027-01-01 00:00 UTC: where the driven clock of an installation begins


@dataclass
class Shop:
    """A brand. `write_keys`: source -> write key."""

    installation: Installation
    brand: str
    write_keys: dict[str, str] = field(default_factory=dict)
    _seen: int = 0
    _numbers: int = 0

    # ---- documents

    async def open(self, **brand: Any) -> "Shop":
        """Publish the brand and give it a source. Begins the driven clock where nobody did."""
        if not self.installation.now:
            await self.clock(START)
        return await self.open_live(**brand)

    async def open_live(self, **brand: Any) -> "Shop":
        """The same on whatever clock there is."""
        body = {"key": self.brand, "name": self.brand, "from_email": f"news@{self.brand}.example", **brand}
        await self.publish({"kind": "brand", "body": body})
        if not self.write_keys:
            await self.source("site")
        return self

    async def source(self, name: str, **more: Any) -> None:
        """One more source of facts: a write key."""
        asked = {"brand": self.brand, "source": f"{self.brand}-{name}", **more}
        self.write_keys[name] = (await self.api("POST", "/api/write-keys", json=asked))["key"]
        if self.installation.now:
            await self.settle()

    async def publish(self, *documents: Mapping[str, Any]) -> None:
        """Put documents in force and wait until the services know them."""
        await self.api("POST", "/api/documents/import", json={"documents": list(documents)})
        if self.installation.now:
            await self.settle()

    @asynccontextmanager
    async def rule(self, **body: Any) -> AsyncIterator[None]:
        """A rule over everything that is sent, in force for the block: other tests of the installation are not to feel it."""
        key = f"rule-{self.brand}"
        await self.api("PUT", f"/api/rules/{key}", json=body)
        await self.api("POST", f"/api/rules/{key}/publish")
        await self.settle()
        try:
            yield
        finally:
            await self.api("DELETE", f"/api/rules/{key}")
            await self.settle()

    async def api(self, method: str, path: str, **more: Any) -> Any:
        """The JSON of a management call that succeeds."""
        answer = await self.installation.api.request(method, path, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    # ---- time

    @property
    def now(self) -> int:
        """Of the driven clock (ms); 0 on a live one."""
        return self.installation.now

    async def clock(self, at: int) -> None:
        await self.api("PUT", "/api/clock", json={"now": at})
        self.installation.now = at

    async def settle(self) -> None:
        """Until nothing moves any more."""
        assert (await self.api("GET", "/api/quiet"))["quiet"]

    async def until(self, at: int) -> None:
        """Let time pass to that instant (ms), and everything happen that is due then. What passes in one go must be idle."""
        assert at >= self.now, f"{iso(at)} is over: it is {iso(self.now)}"
        await self.clock(at)
        await self.settle()

    async def through(self, *ats: int) -> None:
        """Let time pass from one instant to the next, each of which something is due at."""
        for at in ats:
            await self.until(at)

    async def next(self, weekday: int, hour: int = 0, offset: int = 0) -> int:
        """Let time pass to the next such weekday (0: Monday) and hour of a zone that is `offset` hours ahead of UTC."""
        local = self.now + offset * HOUR
        day = -(-local // DAY)
        day += (weekday - (day + 3)) % 7  # 1970-01-01 was a Thursday
        await self.until(day * DAY + (hour - offset) * HOUR)
        return self.now

    # ---- customers

    def address(self, who: str) -> str:
        return f"{who}@{self.brand}.example"

    def call(self, kind: str, who: str, at: int | None = None, **more: Any) -> dict[str, Any]:
        """A tracking call of a customer with a user id of this name; `userId=None` takes it away."""
        self._numbers += 1
        told = {"timestamp": iso(at or self.now)} if self.now else {}
        given = {"type": kind, "messageId": f"{self.brand}-{self._numbers}", "userId": self.user(who), **told, **more}
        return {name: value for name, value in given.items() if value is not None}

    def did(self, who: str, event: str, at: int | None = None, **properties: Any) -> dict[str, Any]:
        """A track call."""
        return self.call("track", who, at, event=event, properties=properties)

    def user(self, who: str) -> str:
        return f"{self.brand}-{who}"

    def is_(self, who: str, at: int | None = None, **traits: Any) -> dict[str, Any]:
        """An identify call; the address is made of the name."""
        return self.call("identify", who, at, traits={"email": self.address(who), "firstName": who.capitalize(), **traits})

    def agrees(self, who: str, at: int | None = None, channel: str = "email", topic: str = "*", **more: Any) -> dict[str, Any]:
        """Consent."""
        return self.call("track", who, at, event="Consent Granted", properties={"channel": channel, "topic": topic}, **more)

    async def post(self, *calls: Mapping[str, Any], source: str = "site", settle: bool = True) -> None:
        """One batch: answered with 2xx, and (driven clock) what follows from it has happened."""
        key = self.write_keys[source]

        async def posted() -> httpx.Response | None:
            answer = await self.installation.public.post("/v1/batch?strict=1", auth=(key, ""), json={"batch": list(calls)})
            return None if answer.status_code == 401 else answer  # a new write key is in force within a second

        answer = await until(posted)
        assert answer.status_code == 200 and answer.json() == {"success": True}, answer.text
        if self.now and settle:
            await self.settle()

    # ---- what is seen outside

    async def mails(self) -> list[dict[str, Any]]:
        """The letters of this brand since the last look, oldest first: {id, at, from, to, subject, message_id}."""
        found = (await self.installation.catcher.get("/api/mails", params={"after": self._seen, "limit": 10_000})).json()["mails"]
        self._seen = max((mail["id"] for mail in found), default=self._seen)
        return [mail for mail in found if self.brand in mail["from"]]

    async def came(self) -> Counter[tuple[str, str]]:
        """(whom, subject) of the letters since the last look, with how often."""
        return Counter((mail["to"][0].partition("@")[0], mail["subject"]) for mail in await self.mails())

    async def letter(self, mail: Mapping[str, Any]) -> dict[str, Any]:
        """With headers, text and html."""
        found: dict[str, Any] = (await self.installation.catcher.get(f"/api/mails/{mail['id']}")).json()
        return found

    def unsubscribe_link(self, letter: Mapping[str, Any]) -> str:
        """The path of the link in the header that RFC 8058 speaks of."""
        header = next(value for name, value in letter["headers"] if name.lower() == "list-unsubscribe")
        link = re.search(r"/u/[A-Za-z0-9_-]{42}", header)
        assert link, header
        return link[0]

    async def press_unsubscribe(self, letter: Mapping[str, Any]) -> httpx.Response:
        """What a mail program does with it."""
        return await self.installation.public.post(self.unsubscribe_link(letter), data={"List-Unsubscribe": "One-Click"})

    async def profile(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.api("GET", "/api/profiles", params={"identifier": identifier})
        return found

    async def decisions(self, *who: str, own: bool = False) -> list[tuple[str, str, str]]:
        """(step, verdict, rule) about customers with user ids of these names, and whoever was merged into them, oldest first. own: of this
        shop's brand alone; journeys of other brands that begin by a segment take anybody who is in it.

        As the log has it; what the API answers comes by another way and must be the same.
        """
        profiles: set[str] = set()
        shown: list[str] = []
        for name in who:
            found = await self.profile(f"user_id:{self.user(name)}")
            profiles |= {found["id"], *found["merged"]}
            page = await self.api("GET", f"/api/profiles/{found['id']}/decisions", params={"limit": 1000})
            shown += [one["id"] for one in page["items"]]
        told = [one for one in await self.installation.log.records("decisions") if one["profile"] in profiles]
        if self.now:  # on a live clock the lake is some seconds behind the log
            assert set(shown) == {one["id"] for one in told} and len(shown) >= len(told)
        told = [one for one in told if not own or one["brand"] == self.brand]
        told.sort(key=lambda one: one["received_at"])
        return [(one.get("step", ""), one["verdict"], one.get("rule", "")) for one in told]


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def template(key: str, brand: str, **more: Any) -> dict[str, Any]:
    """A letter whose subject is its step's name."""
    body = {"key": f"{brand}-{key}", "brand": brand, "subject": key, "text": key, **more}
    return {"kind": "template", "body": body}


def journey(key: str, brand: str, trigger: Any, *steps: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    trigger = {"event": trigger} if isinstance(trigger, str) else trigger
    return {"kind": "journey", "body": {"key": f"{brand}-{key}", "brand": brand, "trigger": trigger, "steps": list(steps), **more}}


def send(step: str, brand: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "template": f"{brand}-{step}", **more}


def segment(key: str, brand: str, condition: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "segment", "body": {"key": f"{brand}-{key}", "brand": brand, "condition": condition}}


def one_address_one_person() -> dict[str, Any]:
    """Rules of identity for a company in which two user ids with one address are one customer: by default they stay two."""
    return {"kind": "identity", "body": {"key": "rules", "kinds": [{"kind": "user_id"}]}}


def once(*came: tuple[str, str]) -> Counter[tuple[str, str]]:
    """What `Shop.came` answers when each of these (whom, subject) came once and nothing else did."""
    return Counter(came)
