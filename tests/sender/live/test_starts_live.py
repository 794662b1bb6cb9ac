"""Between the start of an attempt and its call: a commit that nobody heard of, a person who changes, a refusal that comes late."""

import asyncio

import pytest

from runtime.clock import wall_ms
from schemas.facts import PROFILE_MERGED
from services.sender.delivery import Delivery
from tests.chaos import smtp_server
from tests.sender.live.kit import contact, intent, person, put, sender, states
from tests.support.live import fact, read, rows, running, until

OPEN = "SELECT FROM attempt WHERE state IN ('taken', 'started')"


async def closed(context) -> bool:
    return bool(await rows(context, "SELECT FROM attempt")) and not await rows(context, OPEN)


def merged(at: int):
    pair = {"winner": person(2), "loser": person(1)}
    return fact("merged", at=at, type=PROFILE_MERGED, event="", profile=person(2), properties=pair)


def another_no(at: int):
    """To a topic that the letter is not about."""
    about = {"channel": "email", "topic": "weekly"}
    return fact("no", at=at + 1, event="Consent Withdrawn", profile=person(1), properties=about)


NEWS = {"merged": (merged, "merged_into IS NOT NULL"), "another no": (another_no, "stamp > 0")}


@pytest.fixture
def disturb(config, monkeypatch):
    """The first start is committed, then something happens to the person, and the process does not go on at once."""

    def prepare(how: str, meanwhile: str) -> None:
        commit, first = Delivery._commit_starts, [True]

        async def disturbed(self, group):
            outcome = await commit(self, group)
            if first and first.pop():
                if meanwhile in NEWS:
                    news, seen = NEWS[meanwhile]
                    await put(config, [news(wall_ms())], documents=False)
                    await until(lambda: rows(self._context, f"SELECT FROM person WHERE {seen}"))
                if how == "unheard":
                    raise ConnectionError
                await asyncio.sleep(0.6)
            return outcome

        monkeypatch.setattr(Delivery, "_commit_starts", disturbed)

    return prepare


@pytest.mark.parametrize("how", ["unheard", "slow"])
@pytest.mark.parametrize("meanwhile", ["nothing", *NEWS])
async def test_a_start_that_takes_long_still_leads_to_one_call(config, smtp, disturb, how, meanwhile):
    """unheard: the database ended after the commit, before its answer; slow: the process slept. He may be another one by then."""
    disturb(how, meanwhile)
    now = wall_ms()
    one, _ = sender(config, smtp)
    async with running(config, one) as (context,):
        await put(config, [*contact(1, "same@example.org", at=now), *contact(2, "same@example.org", at=now)], [intent(1, at=now)])
        await until(lambda: closed(context))
        assert await states(context) == {"accepted": 1}
    assert len(smtp.record.accepted) == 1


async def test_a_merge_that_brings_another_address_sends_a_started_one_back_and_skips_nothing(config, smtp, disturb):
    disturb("slow", "merged")
    now = wall_ms()
    one, _ = sender(config, smtp)
    async with running(config, one) as (context,):
        await put(config, [*contact(2, "new@example.org", at=now + 1), *contact(1, "old@example.org", at=now)], [intent(1, at=now)])
        await until(lambda: stands(context, "late"))
        await put(config, [], [intent(1, at=now, attempt=1)], documents=False)  # the orchestrator decides it again
        await until(lambda: accepted(context))
    assert [(d["verdict"], d.get("rule", "")) for d in await read(config, "decisions")] == [
        ("late", "address_changed"),
        ("accepted", ""),
    ]
    assert [entry["to"] for entry in smtp.record.accepted] == [["new@example.org"]]


class Slow(smtp_server.Dialogue):
    """Says "not now" to the first letter, and only when it is let."""

    reached, let = asyncio.Event(), asyncio.Event()

    async def _data(self, line: str) -> None:
        if not self.reached.is_set():
            await self._say("354 go on")
            while await self._reader.readuntil(b"\r\n") != b".\r\n":
                continue
            self.reached.set()
            await self.let.wait()
            await self._say("451 4.3.0 not now")
            return
        await super()._data(line)


async def test_a_refusal_that_comes_when_others_hold_us_for_dead_is_tried_again(config, tmp_path, monkeypatch):
    """The lock of a living process was lost for a moment (a restarted database): its started letters were put in doubt meanwhile."""
    monkeypatch.setattr(smtp_server, "Dialogue", Slow)
    Slow.reached, Slow.let = asyncio.Event(), asyncio.Event()
    log = tmp_path / "mails.jsonl"
    outside = smtp_server.Server(log, 0, faults=False)
    listening = await asyncio.start_server(outside.serve, "127.0.0.1", 0)

    class Port:
        port = listening.sockets[0].getsockname()[1]

    one, _ = sender(config, Port)
    now = wall_ms()
    async with running(config, one) as (context,):
        await put(config, contact(1, at=now), [intent(1, at=now)])
        await until(Slow.reached.is_set)
        async with context.db.transaction() as connection:
            await connection.execute("UPDATE attempt SET state = 'in_doubt', code = 'process ended', owner = NULL")
        Slow.let.set()
        await until(lambda: accepted(context))
    listening.close()
    outside.close()
    assert len(log.read_text().splitlines()) == 1


async def stands(context, state: str, count: int = 1) -> bool:
    return await states(context) == {state: count}


async def deaf(context):
    """From now on it does not know how much of the log it has read, until what this answers is called: the news is still on its way."""
    await until(lambda: context.loop and context.loop.freshness.at)
    freshness = context.loop.freshness

    async def nothing(*_) -> None:
        freshness.at = 1

    freshness.look = nothing
    await until(lambda: freshness.at == 1)
    return lambda: vars(freshness).pop("look")


async def accepted(context) -> bool:
    return await stands(context, "accepted")


@pytest.mark.parametrize("missing", ["everything", "consent"])
async def test_an_intent_that_overtakes_the_facts_it_follows_from_waits_for_them(config, smtp, missing):
    """After an outage of ours both wait in the log, and nothing says which is read first."""
    now = wall_ms()
    told, granted = contact(1, at=now)
    one, _ = sender(config, smtp)
    async with running(config, one) as (context,):
        heard = await deaf(context)
        await put(config, [] if missing == "everything" else [told], [intent(1, at=now)])
        await until(lambda: rows(context, "SELECT FROM attempt"))
        await put(config, [told, granted] if missing == "everything" else [granted], documents=False)
        heard()
        if missing == "everything":
            await until(lambda: stands(context, "late"))  # the orchestrator decides it again, now with its address
            await put(config, [], [intent(1, at=now, attempt=1)], documents=False)
        await until(lambda: accepted(context))
    assert len(smtp.record.accepted) == 1


async def test_who_has_no_address_is_told_of_when_all_was_heard(config, smtp):
    now = wall_ms()
    one, _ = sender(config, smtp)
    async with running(config, one) as (context,):
        await put(config, [], [intent(1, at=now), intent(2, at=now)])
        await until(lambda: stands(context, "skipped", 2))
    told = await read(config, "decisions")
    assert [(d["verdict"], d["rule"]) for d in told] == [("skipped", "no_address")] * 2
