"""What a message said is forgotten after the days that the operator names; that it was sent is not."""

from runtime.drive import set_clock
from schemas.messages import decode_intent
from services.sender import store
from services.sender.contents import DAY_MS, Contents
from tests.sender.live.kit import contact, intent, put, sender
from tests.support.live import T0, driven, rows

ORDER = {"event": {"properties": {"city": "Samara"}}}


async def test_what_was_said_goes_after_its_days_and_the_row_stays(config, smtp):
    one, _ = sender(config, smtp)
    await put(config, [*contact(1), *contact(2)], [intent(1, data=ORDER)])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        await set_clock(context.db, T0 + 3 * DAY_MS)
        await put(
            config, [], [intent(2, at=T0 + 3 * DAY_MS, data=ORDER), intent(3, at=T0 + 3 * DAY_MS, data=ORDER)], documents=False
        )
        await conductor.settle()
        contents = Contents(context.db, context.clock, 3)
        assert await contents.forget() == 0, "not yet"
        await set_clock(context.db, T0 + 5 * DAY_MS)
        async with context.db.transaction() as connection:
            await store.refuse_managers(connection, {"old": "permanent_address", "again": "permanent_address"}, T0)
            await store.refuse_managers(connection, {"again": "bounced", "new": "bounced"}, T0 + 5 * DAY_MS)
        assert [await contents.forget(), await contents.forget()] == [1, 0]
        assert await said(context) == [{}, ORDER, ORDER]
        await set_clock(context.db, T0 + 7 * DAY_MS)
        assert [await contents.forget(), await contents.forget()] == [2, 0]
        assert await said(context) == [{}, {}, {}]
        await set_clock(context.db, T0 + store.BAD_MANAGER_MS)
        async with context.db.connection() as connection:
            bad = await store.bad_managers(connection, ["again", "old", "unknown"], T0 + store.BAD_MANAGER_MS)
        assert bad == {"again": "bounced"}, "those that are asked about, by the newest word, and not for ever"
        await Contents(context.db, context.clock, None).forget()
        assert [row["hash"] for row in await rows(context, "SELECT hash FROM manager_suppression ORDER BY hash")] == [
            "again",
            "new",
        ]
        kept = await rows(context, "SELECT state FROM attempt ORDER BY received_at")
    assert sorted(row["state"] for row in kept) == ["accepted", "accepted", "skipped"]


async def said(context) -> list[dict]:
    return [decode_intent(row["intent"]).data for row in await rows(context, "SELECT intent FROM attempt ORDER BY received_at, id")]
