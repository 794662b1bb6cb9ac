"""The preference centre and the confirmation on real Kafka and PostgreSQL, by the links of letters that went out."""

import re
from contextlib import asynccontextmanager

import httpx
import msgspec

from runtime.clock import wall_ms
from runtime.drive import set_clock
from runtime.process import secret
from runtime.settings import Settings
from schemas.facts import PROFILE_MERGED, Fact
from schemas.ids import derive
from services.sender import links
from services.sender.__main__ import link_keys
from services.sender.visitors import READABLE_MS
from tests.sender.live.kit import contact, intent, person, publish, put, sender
from tests.support import live
from tests.support.live import driven, read, rows, running, until

TEXT = "prefs {{ preferences_url }} confirm {{ confirm_url }} out {{ unsubscribe_url }}"


async def documents(config: Settings) -> None:
    """A tree of topics, a brand, and two templates: one with all links, one that asks for nothing."""
    made = [
        ("template", {"key": "links", "subject": "links", "text": TEXT}),
        ("template", {"key": "plain", "subject": "plain", "text": "{{ preferences_url }}"}),
        ("brand", {"key": "shop", "name": "Shop <&>"}),
        ("topic", {"key": "news", "name": {"en": "News", "ru": "Новости"}}),
        ("topic", {"key": "weekly", "name": {"en": "Weekly"}, "parent": "news"}),
    ]
    await publish(config, *made)


def asks(n: int, topic: str, at: int, **more) -> Fact:
    said = {"channel": "email", "topic": topic, "double_opt_in": True, **more}
    given = {"brand": "shop", "source": "site", "occurred_at": at, "received_at": at, "profile": person(n), "properties": said}
    return Fact(id=derive("ask", n, topic, at), type="track", event="Consent Granted", **given)


@asynccontextmanager
async def visiting(settings):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.public_port}") as client:
        yield client


def path(smtp, kind: str, number: int = -1) -> str:
    data = smtp.record.accepted[number]["data"].replace("=\r\n", "").replace("=3D", "=")
    return re.search(rf"/{kind}/[A-Za-z0-9_-]{{42}}", data)[0]


def form(html: str) -> dict[str, list[str]]:
    """What a browser would send if nothing were touched."""
    return {
        "was": re.findall(r'name="was" value="([^"]+)"', html),
        "on": re.findall(r'name="on" value="([^"]+)" checked', html),
    }


async def test_the_preference_centre_shows_the_state_and_each_change_is_a_fact_in_force_at_once(config, smtp):
    one, settings = sender(config, smtp)
    now = wall_ms()
    await put(config, contact(1, at=now - 1000), [intent(1, at=now, template="plain")])
    await documents(config)
    async with running(config, one) as (context,), visiting(settings) as client:
        await until(lambda: len(smtp.record.accepted) == 1)
        link = path(smtp, "p")
        page = await client.get(link, headers={"accept-language": "ru"})
        assert page.status_code == 200 and "Новости" in page.text and "Shop &lt;&amp;&gt;" in page.text
        assert "p1@example" not in page.text and "p•••@e•••.org" in page.text
        policy = page.headers["content-security-policy"]
        assert (
            "default-src 'none'" in policy and "script" not in policy and "<script" not in page.text and 'style="' not in page.text
        )
        given = form(page.text)
        assert given["on"] == given["was"] == ["email|*", "email|news", "email|weekly"]
        await client.get(link)
        assert await read(config, "facts.raw") == [], "showing does nothing"

        without = {**given, "on": ["email|*", "email|news"]}
        answer = await client.post(link, data=without, headers={"user-agent": "Test/1", "x-forwarded-for": "6.6.6.6, 192.0.2.7"})
        assert answer.status_code == 200 and form(answer.text)["on"] == ["email|*", "email|news"]
        (no,) = await read(config, "facts.raw")
        assert (no["event"], no["about"], no["brand"]) == ("Consent Withdrawn", person(1), "shop")
        said = no["properties"]
        assert (said["channel"], said["topic"], said["language"]) == ("email", "weekly", "en")
        assert said["evidence"]["message"] == intent(1, at=now).id and "Weekly" in said["evidence"]["wording"]
        assert len(said["text_sha256"]) == 64 and no["context"] == {"ip": "192.0.2.7", "userAgent": "Test/1"}

        await put(config, [], [intent(1, step="w", at=now, topic="weekly", template="plain")], documents=False)
        await put(config, [], [intent(1, step="n", at=now, topic="news", template="plain")], documents=False)

        async def told():
            found = {d["step"]: (d["verdict"], d.get("rule", "")) for d in await read(config, "decisions")}
            return found if {"w", "n"} <= found.keys() else None

        found = await until(told)
        assert (found["w"], found["n"]) == (("skipped", "consent"), ("accepted", ""))

        again = await client.post(link, data=form(answer.text))
        assert "Nothing has changed" in again.text and len(await read(config, "facts.raw")) == 1
        off = await client.post(link, data={**form(answer.text), "all_off": "1"})
        assert form(off.text)["on"] == [] and "Everything is off" in off.text
        last = (await read(config, "facts.raw"))[-1]
        assert {f["properties"]["topic"] for f in await read(config, "facts.raw")} == {"weekly", "*"}, last
        stamp = (await rows(context, "SELECT stamp FROM person WHERE id = $1", person(1)))[0]["stamp"]
        assert stamp >= 2, "a call that was prepared before does not start"


async def test_the_confirmation_confirms_what_waits_and_a_later_no_stands(config, smtp):
    one, settings = sender(config, smtp)
    now = wall_ms()
    told = contact(1, at=now - 1000)[:1]
    await put(config, [*told, asks(1, "news", now - 900, expires_at=now * 2)], [intent(1, cls="service", at=now, template="links")])
    await documents(config)
    async with running(config, one), visiting(settings) as client:
        await until(lambda: len(smtp.record.accepted) == 1)
        link = path(smtp, "d")
        shown = await client.get(link)
        assert shown.status_code == 200 and "News" in shown.text and "<button>" in shown.text
        assert await read(config, "facts.raw") == [], "programs follow links: showing confirms nothing"
        for _ in range(2):
            assert (await client.post(link)).status_code == 200
        confirmed = await read(config, "facts.raw")
        assert {f["id"] for f in confirmed} == {confirmed[0]["id"]}, "twice is once: profile knows it by its id"
        said = confirmed[0]["properties"]
        assert confirmed[0]["event"] == "Consent Confirmed" and confirmed[0]["about"] == person(1)
        assert (said["channel"], said["topic"], said["requested_at"], said["expires_at"]) == ("email", "news", now - 900, now * 2)
        assert said["evidence"]["message"] == intent(1, at=now).id and said["evidence"]["clicked_at"] >= now
        assert confirmed[0]["context"]["ip"] == "127.0.0.1"

        no = msgspec.structs.replace(asks(1, "news", now + 1), event="Consent Withdrawn", properties={"channel": "email"})
        await put(config, [no], documents=False)

        async def refused():
            return "nothing to confirm" in (await client.get(link)).text

        await until(refused)
        answer = await client.post(link)
        assert "nothing to confirm" in answer.text and len(await read(config, "facts.raw")) == len(confirmed)


async def test_a_letter_that_asks_goes_only_to_who_has_something_to_confirm_and_permits_no_marketing(config, smtp):
    one, _ = sender(config, smtp)
    at = live.T0
    await put(
        config,
        [*contact(1)[:1], asks(1, "news", at), *contact(2)],
        [
            intent(1, cls="service", template="links"),
            intent(2, cls="service", template="links"),
            intent(1, step="s2", topic="news", template="plain"),
        ],
    )
    await documents(config)
    async with driven(config, one) as (_, conductor):
        await conductor.settle()
    told = {(d["profile"], d["step"]): (d["verdict"], d.get("rule", "")) for d in await read(config, "decisions")}
    assert told == {
        (person(1), "s1"): ("accepted", ""),
        (person(2), "s1"): ("skipped", "nothing_to_confirm"),
        (person(1), "s2"): ("skipped", "consent"),
    }


async def test_forged_cut_and_expired_links_and_those_of_nobody_change_nothing(config, smtp):
    one, settings = sender(config, smtp)
    await put(config, [*contact(1), asks(1, "news", live.T0 + 1)], [intent(1, cls="service", template="links")])
    await documents(config)
    async with driven(config, one) as ((context,), conductor), visiting(settings) as client:
        await conductor.settle()
        paths = {kind: path(smtp, kind) for kind in "pdu"}
        forged = links.Keys(1, {1: b"x" * 32})
        wrong = {
            f"/p/{links.sign(links.Kind.PREFERENCES, intent(1).id, 0, forged)}": 404,
            f"/d/{links.sign(links.Kind.CONFIRM, intent(1).id, 0, forged)}": 404,
            paths["p"][:-1]: 404,
            paths["u"].replace("/u/", "/p/"): 404,
            paths["p"].replace("/p/", "/d/"): 404,
            f"/p/{links.sign(links.Kind.PREFERENCES, derive('never sent'), 0, link_keys(secret(context.settings)))}": 410,
        }
        for address, status in wrong.items():
            for answer in (await client.get(address), await client.post(address, data={"all_off": "1"})):
                assert (answer.status_code, "Nothing has been changed" in answer.text) == (status, True), address
        await set_clock(context.db, live.T0 + 1000 + READABLE_MS)
        assert [(await client.get(paths[kind])).status_code for kind in "pdu"] == [200, 200, 200]
        await set_clock(context.db, live.T0 + 1001 + READABLE_MS)
        assert [(await client.get(paths[kind])).status_code for kind in "pdu"] == [410, 410, 200], "a no is taken for ever"
        assert (await client.post(paths["p"], data={"all_off": "1"})).status_code == 410
        async with context.db.transaction() as connection:  # as an erasure leaves it
            await connection.execute("UPDATE person SET state = ''")
        assert [(await client.post(paths[kind])).status_code for kind in "pdu"] == [410] * 3
        assert await read(config, "facts.raw") == []


async def test_after_a_merge_the_losers_link_acts_on_the_winner(config, smtp):
    one, settings = sender(config, smtp)
    await put(config, [*contact(1), *contact(2)], [intent(2, template="plain")])
    await documents(config)
    async with driven(config, one) as (_, conductor), visiting(settings) as client:
        await conductor.settle()
        link = path(smtp, "p")
        given = {"brand": "shop", "source": "site", "occurred_at": live.T0 + 5, "received_at": live.T0 + 5, "profile": person(1)}
        said = {"winner": person(1), "loser": person(2)}
        await put(config, [Fact(id=derive("m"), type=PROFILE_MERGED, properties=said, **given)], documents=False)
        await conductor.settle()
        assert (await client.post(link, data={"all_off": "1"})).status_code == 200
        assert [f["about"] for f in await read(config, "facts.raw")] == [person(1)]
        await put(config, [], [intent(1, step="s2", template="plain")], documents=False)
        await conductor.settle()
    told = {(d["profile"], d["step"]): (d["verdict"], d.get("rule", "")) for d in await read(config, "decisions")}
    assert told[person(1), "s2"] == ("skipped", "consent")
