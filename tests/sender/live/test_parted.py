"""Who was taken for another is parted from him: letters go to whom they are for, and what each has said counts for him alone."""

import msgspec

from schemas.facts import PROFILE_MERGED, PROFILE_SPLIT, Fact, Split, SplitPart
from schemas.ids import derive
from tests.sender.live.kit import contact, intent, person, put, sender
from tests.support.live import T0, driven, read, rows

NO = {"shop|email|*": (-1, T0 + 6)}
YES = {"shop|email|*": (T0, -1)}


def told(n: int, kind: str, at: int, **more) -> Fact:
    common = {"brand": "shop", "source": "api", "occurred_at": at, "received_at": at, "profile": person(n)}
    return Fact(id=derive(kind, n, at), type=kind, **common, **more)


async def test_after_a_parting_each_gets_his_own_letters_by_his_own_word(config, smtp):
    one, _ = sender(config, smtp)
    merged = told(1, PROFILE_MERGED, T0 + 5, properties={"winner": person(1), "loser": person(2)})
    no = Fact(
        **{**msgspec.structs.asdict(contact(1, at=T0 + 6)[1]), "id": derive("no"), "event": "Consent Withdrawn", "home": person(2)}
    )
    part = SplitPart(profile=person(3), homes=(person(2),), others=(person(2),), words=NO)
    split = msgspec.to_builtins(Split(act="act", parts=(part,), words=YES))
    parting = told(
        1, PROFILE_SPLIT, T0 + 10, properties=split, lost=("email:p2@example.org",), identifiers=("email:p1@example.org",)
    )
    await put(config, [*contact(1), *contact(2)])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        await put(config, [merged, no], [intent(1, step="before", at=T0 + 9)], documents=False)
        await conductor.settle()
        assert len(smtp.record.accepted) == 0, "of the two who were taken for one, one has refused"
        await put(config, [parting], [intent(1, step="meant", at=T0 + 9), intent(1), intent(2)], documents=False)
        await put(config, [contact(3, "p2@example.org", at=T0 + 10)[0]], documents=False)
        await conductor.settle()
        stones = await rows(context, "SELECT merged_into::text AS into FROM person WHERE id = $1", person(2))
    assert [mail["to"] for mail in smtp.record.accepted] == [["p1@example.org"]]
    assert [row["into"] for row in stones] == [person(3)]
    verdicts = {(d["step"], d["profile"]): (d["verdict"], d.get("rule")) for d in await read(config, "decisions")}
    assert verdicts["meant", person(1)] == ("late", "parted")
    assert verdicts["s1", person(2)] == ("skipped", "consent")
