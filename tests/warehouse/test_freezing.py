"""A list gets each member once, whatever fails on the way; what is asked twice is made once."""

from schemas.facts import encode
from schemas.ids import derive
from schemas.memberships import Membership
from services.warehouse import freezing
from services.warehouse.__main__ import service
from services.warehouse.freezing import Freeze
from tests.support.live import T0, publish, read, rows, running, until
from tests.warehouse.conftest import passed

PEOPLE = sorted(derive("profile", str(n)) for n in range(7))


def change(person: str, at: int, kind: str) -> bytes:
    return encode(Membership(type=kind, received_at=at, at=at, id=f"{person}{at}", profile=person, segment="vip"))


async def test_a_freezing_that_fails_in_between_goes_on_where_it_was(config, monkeypatch):
    monkeypatch.setattr(freezing, "PIECE", 2)
    monkeypatch.setattr(freezing, "POLL_S", 0.05)
    tries: list[int] = []
    published = freezing.own.publish_in

    async def fails_at_times(connection, *given):
        done = await published(connection, *given)
        tries.append(len(given[-1]))
        if len(tries) % 2:
            raise ConnectionError("the database goes away before the commit")
        return done

    monkeypatch.setattr(freezing.own, "publish_in", fails_at_times)
    told = [change(person, T0, "entered") for person in PEOPLE]
    told.append(change(PEOPLE[0], T0 + 5, "left"))
    asked = Freeze(derive("freezing"), "vip", "december", "shop", T0 + 4, T0 + 9)
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, told, "memberships", key="k")
        await passed(context, len(told))
        for _ in range(2):
            async with context.db.transaction() as connection:
                await freezing.ask(connection, asked)

        async def progress():
            async with context.db.connection() as connection:
                return await freezing.progress(connection, "december")

        async def done():
            return (await progress())["done_at"] and await context.relay.drained()

        await until(done)
        found = await progress()
        assert (found["members"], found["told"]) == (7, 7) and await rows(context, "SELECT FROM frozen") == []
    facts = await read(config, "facts.raw.bulk")
    assert sorted(fact["about"] for fact in facts) == PEOPLE and len({fact["id"] for fact in facts}) == 7
    assert {fact["occurred_at"] for fact in facts} == {T0 + 9} and {str(fact["attributes"]) for fact in facts} == {
        "{'list.december': True}"
    }
    assert len(tries) == 8, "each of four pieces failed once"
