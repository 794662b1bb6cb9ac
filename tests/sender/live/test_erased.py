"""What was on its way to somebody when he was erased says nothing of him afterwards either."""

from schemas.facts import PROFILE_ERASED, Fact
from schemas.ids import derive
from schemas.messages import decode_intent
from tests.sender.live.kit import contact, intent, person, put, sender
from tests.support.live import T0, driven, read, rows

ORDER = {"event": {"properties": {"city": "Samara", "items": ["a test"]}}}


def erased(n: int, *others: str) -> Fact:
    given = {"brand": "shop", "source": "api", "occurred_at": T0 + 1, "received_at": T0 + 1, "profile": person(n)}
    return Fact(id=derive("erased", n), type=PROFILE_ERASED, properties={"others": others}, **given)


async def test_an_intent_that_comes_or_comes_back_after_the_erasure_is_kept_without_what_it_said(config, smtp):
    one, _ = sender(config, smtp)
    await put(config, contact(1), [intent(1, not_after=T0 - 5, data=ORDER)])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        await put(config, [erased(1, person(3))], documents=False)
        await conductor.settle()
        late = [intent(1, attempt=1, data=ORDER), intent(1, step="s2", data=ORDER), intent(3, data=ORDER)]
        await put(config, [], late, documents=False)
        await conductor.settle()
        kept = await rows(context, "SELECT state, attempt, intent FROM attempt ORDER BY attempt")
    assert [(row["state"], row["attempt"], decode_intent(row["intent"]).data) for row in kept] == [
        ("skipped", 0, {}),
        ("skipped", 0, {}),
        ("skipped", 1, {}),
    ]
    told = [d for d in await read(config, "decisions") if d["verdict"] == "skipped"]
    assert {(d["intent"], d["rule"]) for d in told} == {(one.id, "no_address") for one in late}
