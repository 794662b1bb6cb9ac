"""What the lake has of people comes back as the facts that it was, person by person, in order: whoever they are by now."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.aliases import Merge, know_aliases
from runtime.histories import Histories, Wanted
from runtime.lake import LakeFile, Snapshot, column, connect
from schemas.facts import PROFILE_CHANGED, Fact, decode, encode
from schemas.ids import derive
from services.warehouse.domain import sheets
from services.warehouse.domain.walk import Stored
from services.warehouse.files import Files

ANN, BOB, EVE = sorted(derive("person", name) for name in "abe")
T0, DAY = 1_290_000_000_000, 86_400_000
_stored = msgspec.json.Decoder(Stored).decode


def fact(number: int, person: str, event: str = "Bought", at: int = 0, **more: Any) -> Fact:
    given = {"type": "track", "event": event, "brand": "shop", "source": "site", "properties": {}, **more}
    return Fact(id=derive("f", number), occurred_at=T0 + at - 5, received_at=T0 + at, profile=person, **given)


SAID = {
    "total": {"minor": 250, "currency": "RUB"},
    "lines": [{"sku": "a"}],
    "odd.name": "x",
    "n": None,
    "big": 2**70,
    "share": 0.5,
    "ok": True,
}
FACTS = [
    fact(0, BOB, "", 0, type=PROFILE_CHANGED, identifiers=("email:b@x", "user_id:1"), bucketing_id="bb", bucketed_at=T0,
         attributes={"time_zone": [T0 - 5, "Europe/Moscow"], "language": [T0 - 99, "ru"], "tags": [T0 - 5, ["a", "b"]]}),
    fact(1, BOB, at=2 * DAY, properties=SAID, identifiers=("user_id:1",), bucketing_id="bb", bucketed_at=T0),
    fact(2, ANN, at=3 * DAY, properties={"total": {"minor": 1}}),
    fact(3, EVE, at=2 * DAY - 1, properties={"total": "a text"}),
    fact(4, BOB, "Viewed", 2 * DAY, properties={"page": "/"}),
    fact(5, BOB, "Moved", DAY, type="identify", attributes={"city": "Omsk", "other": 1}, ruled=("city",)),
    fact(6, BOB, "Moved", DAY, type="identify", attributes={"other": 1}),
    fact(7, BOB, "Consent Granted", DAY, lane="bulk", properties={"channel": "email", "evidence": {"form": "a form"}}),
]  # fmt: skip


@pytest.fixture
def snapshot(tmp_path: Path):
    """Two files, each with its own columns. Eve became one with Bob."""
    files, written, properties = Files(tmp_path, threads=1), [], {}
    for number, part in enumerate((FACTS[:3], FACTS[3:])):
        sheet = sheets.facts([("facts", 0, int(number * 3 + n), _stored(encode(one))) for n, one in enumerate(part)])
        for key in sheet.cells:
            properties.setdefault((key.event, key.scope, key.path), {})[key.kind] = column(key.scope, key.path, key.kind)
        sheet.spill(sheet.cells.keys())
        written.append(files.write(sheet, number))
    files.close()
    duck = connect(tmp_path, 1, "256MB")
    know_aliases(duck, [Merge(EVE, BOB, T0)], [])
    listed = [LakeFile(one.file, "facts", one.event, one.day, one.rows, one.first_at, one.last_at) for one in written]
    yield Snapshot(tmp_path, duck, listed, {}, properties)
    duck.close()


def without_values(one: Fact) -> Fact:
    """As the lake keeps it: of identifiers their kinds."""
    kinds = tuple(f"{text.partition(':')[0]}:" for text in one.identifiers)
    return msgspec.structs.replace(one, identifiers=kinds)


def same(found, *numbers: int) -> None:
    expected = [without_values(decode(encode(FACTS[number]))) for number in numbers]
    expected = [msgspec.structs.replace(one, profile=BOB if one.profile == EVE else one.profile) for one in expected]
    assert [one for _, one in found] == expected


async def test_facts_come_back_by_person_in_the_order_in_which_they_were_received(snapshot):
    histories = Histories(snapshot, T0 + 10 * DAY, {"time_zone", "language", "tags", "city"})
    await histories.choose()
    await histories.want([Wanted("Bought", T0), Wanted(PROFILE_CHANGED, 0, ()), Wanted("Moved", 0, (), telling=True)])
    assert (histories.everybody, histories.people, histories.upto) == (2, 2, None)
    ann, bob = await histories.next(None, 10)
    assert (ann.person, ann.first_at, bob.person, bob.first_at) == (ANN, T0 + 3 * DAY, BOB, T0)
    same(ann.facts, 2)
    moved = msgspec.structs.replace(FACTS[5], attributes={"city": "Omsk"})
    assert bob.facts[1][1] == moved
    del bob.facts[1]
    same(bob.facts, 0, 3, 1)
    assert [place for place, _ in bob.facts] == [
        (T0, "facts", 0, 0),
        (T0 + 2 * DAY - 1, "facts", 0, 3),
        (T0 + 2 * DAY, "facts", 0, 1),
    ]
    assert await histories.next(BOB, 10) == []
    assert await histories.others(ANN, BOB) == {BOB: [EVE]}


async def test_only_the_days_the_properties_and_the_people_that_are_asked_for(snapshot):
    histories = Histories(snapshot, T0 + 3 * DAY)
    await histories.choose()
    await histories.want([Wanted("Bought", T0 + 2 * DAY, ("total.minor",)), Wanted("Viewed", 0, (), until=T0 + DAY)])
    (bob,) = await histories.next(None, 10)
    ((_, bought),) = bob.facts
    assert bought.properties["total"] == {"minor": 250}
    assert "share" not in bought.properties


async def test_of_evidence_it_is_known_that_there_is_some(snapshot):
    histories = Histories(snapshot, T0 + 10 * DAY)
    await histories.choose()
    await histories.want([Wanted("Consent Granted", 0)])
    _, bob = await histories.next(None, 10)
    ((_, said),) = bob.facts
    assert (said.properties, said.lane) == ({"channel": "email", "evidence": {"kept": True}}, "bulk")


async def test_of_more_people_than_are_wanted_the_first_by_id_are_taken(snapshot):
    histories = Histories(snapshot, T0 + 10 * DAY)
    await histories.choose(1)
    await histories.want([Wanted("Bought", 0)])
    assert (histories.everybody, histories.people, histories.upto) == (2, 1, ANN)
    (ann,) = await histories.next(None, 10)
    same(ann.facts, 2)
    assert await histories.ids() == [ANN]
    again = Histories(snapshot, T0 + 10 * DAY)
    await snapshot.query("DROP TABLE crowd")
    await again.choose(upto=ANN)
    assert again.people == 1
