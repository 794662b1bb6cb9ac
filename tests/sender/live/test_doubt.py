"""Doubt ends: by a click, by an open, or after three days; and everybody is told of it once."""

import asyncio

import httpx
import pytest

from runtime.clock import wall_ms
from runtime.drive import set_clock
from runtime.process import secret
from services.sender import domain, links
from services.sender.__main__ import link_keys
from services.sender.delivery import Delivery
from tests.sender.live.kit import contact, intent, put, sender, states
from tests.support.live import T0, driven, read, rows, running, until

HOUR = 3_600_000
KINDS = {"click": (links.Kind.CLICK, 302, "Email Link Clicked"), "open": (links.Kind.OPEN, 200, "Email Opened")}


async def told(config, *verdicts: str) -> list[tuple[str, str, str]]:
    """(intent, verdict, rule) of the sender's verdicts, these alone."""
    found = [d for d in await read(config, "decisions") if d["by"] == "sender"]
    return [(d["intent"], d["verdict"], d.get("rule", "")) for d in found if d["verdict"] in verdicts]


async def test_what_nobody_hears_of_for_three_days_is_closed_as_unknown_and_told(config, smtp):
    one, _ = sender(config, smtp)
    await put(config, contact(1, "drop-b@example.org"), [intent(1)])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        assert await states(context) == {"in_doubt": 1}
        await set_clock(context.db, T0 + domain.DOUBT_MS - 1)
        await conductor.settle()
        assert await states(context) == {"in_doubt": 1} and await told(config, "unknown") == []
        await set_clock(context.db, T0 + domain.DOUBT_MS)
        await conductor.settle()
        assert await states(context) == {"unknown": 1}
        await set_clock(context.db, T0 + domain.DOUBT_MS + HOUR)
        await conductor.settle()
    assert await told(config, "unknown") == [(intent(1).id, "unknown", "in_doubt:72h")]
    assert not [f for f in await read(config, "facts.bulk") if f["event"] == "Email Sent"]


@pytest.mark.parametrize("kind", KINDS)
async def test_who_clicks_or_opens_has_got_it_though_the_process_died_before_it_wrote_that_down(config, smtp, monkeypatch, kind):
    one, given = sender(config, smtp)
    now = wall_ms()
    letter = intent(1, at=now)

    async def dies(_self, _record) -> None:
        return None

    async def doubtful() -> bool:
        return await states(context) == {"in_doubt": 1}

    async def settled() -> bool:
        return await states(context) == {"accepted": 1} and bool(await told(config, "accepted"))

    async with running(config, one) as (context,):
        with monkeypatch.context() as patch:
            patch.setattr(Delivery, "_record", dies)
            await put(config, contact(1, at=now), [letter])
            await until(lambda: rows(context, "SELECT FROM attempt WHERE state = 'started'"))
            await until(lambda: smtp.record.accepted)
        async with context.db.transaction() as connection:  # it was another process, and it is gone
            await connection.execute("UPDATE attempt SET owner = 7")
        await until(doubtful)
        which, status, event = KINDS[kind]
        link = links.url(f"http://127.0.0.1:{given.public_port}", which, letter.id, 0, link_keys(secret(config)))
        async with httpx.AsyncClient() as client:  # twice, at one time
            answers = await asyncio.gather(*(client.get(link) for _ in range(2)))
        assert {answer.status_code for answer in answers} == {status}
        if kind == "click":
            assert {answer.headers["location"] for answer in answers} == {"https://shop.example/x?a=1&b=2"}
        await until(settled)
    assert await told(config, "accepted", "in_doubt") == [
        (letter.id, "in_doubt", "process ended"),
        (letter.id, "accepted", "reconciled:link"),
    ]
    assert [f["properties"]["intent"] for f in await read(config, "facts.bulk")] == [letter.id]
    assert {(f["event"], f["properties"]["intent"]) for f in await read(config, "facts.raw")} == {(event, letter.id)}
    assert len(smtp.record.accepted) == 1
