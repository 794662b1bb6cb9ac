"""A journey, or a launch of a campaign, is paused while its letters are under way: none starts behind the shut gate, and each goes once
when it comes again."""

from collections import Counter

import msgspec
import pytest

from runtime.clock import wall_ms
from runtime.kafka import Producer
from schemas.definitions import Published
from schemas.ids import derive
from tests.sender.live.kit import contact, intent, put, rows, sender, states
from tests.support.live import read, running, until

LETTERS = 60


LAUNCH = derive("launch", 1)
OPEN = {"gate": "open", "launch": "running"}
ENDED = {"gate": "ended", "launch": "stopped"}


async def gate(config, kind: str, number: int, state: str) -> None:
    key = {"gate": "journey:welcome", "launch": LAUNCH}[kind]
    body = msgspec.Raw(msgspec.json.encode({"key": key, "state": state, "at": wall_ms()}))
    document = Published(kind=kind, key=key, version=number, body=body, pointer=True, received_at=wall_ms())
    producer = await Producer(config, "test").start()
    await producer.send("definitions", 0, [(f"{kind}:{key}".encode(), msgspec.json.encode(document), [])])
    await producer.stop()


@pytest.mark.parametrize(("kind", "number"), [("gate", 1), ("launch", 0)])
async def test_what_is_under_way_is_held_and_goes_once_under_its_key_when_it_comes_again(config, smtp, kind, number):
    now = wall_ms()
    await put(config, [fact for n in range(LETTERS) for fact in contact(n, at=now)])
    service, _ = sender(config, smtp, rate_email="40/1000")
    letters = [intent(n, at=wall_ms(), occurrence=LAUNCH) for n in range(LETTERS)]
    async with running(config, service) as (context,):
        await put(config, [], letters, documents=False)

        async def some() -> bool:
            return (await states(context))["accepted"] >= 5

        await until(some)
        await gate(config, kind, 1, "paused")

        async def through() -> Counter | None:
            found = await states(context)
            return found if found["accepted"] + found["held"] == LETTERS else None

        found = await until(through)
        assert found["held"] > 0
        verdicts = [d for d in await read(config, "decisions") if d["verdict"] == "held"]
        assert {(d["rule"], d.get("gate", 0)) for d in verdicts} == {("paused", number)} and len(verdicts) == found["held"]
        known = await rows(context, "SELECT version FROM definition_current WHERE kind = $1", kind)
        assert [row["version"] for row in known] == [1]

        await gate(config, kind, 2, OPEN[kind])

        async def opened() -> bool:
            return bool(await rows(context, "SELECT FROM definition_current WHERE kind = $1 AND version = 2", kind))

        await until(opened)
        held = {d["intent"] for d in verdicts}
        again = [msgspec.structs.replace(one, attempt=1, received_at=wall_ms()) for one in letters if one.id in held]
        await put(config, [], again, documents=False)

        async def all_accepted() -> bool:
            return (await states(context))["accepted"] == LETTERS

        await until(all_accepted)
        await gate(config, kind, 3, ENDED[kind])

        async def ended() -> bool:
            return bool(await rows(context, "SELECT FROM definition_current WHERE kind = $1 AND version = 3", kind))

        await until(ended)
        await put(config, [], [intent(0, "s2", at=wall_ms(), occurrence=LAUNCH)], documents=False)

        async def skipped() -> bool:
            return (await states(context))["skipped"] == 1

        await until(skipped)
    taken = Counter(entry["message_id"].partition("@")[0] for entry in smtp.record.accepted)
    assert set(taken.values()) == {1} and set(taken) == {one.id for one in letters}
