"""Personal attributes in bulk: held in memory, asked as others are, and of nobody who is gone."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.audience import ADAPTER
from schemas.facts import Fact
from schemas.ids import derive
from services.audience.domain.unanswerable import faults, personal_names
from services.audience.domain.world import World
from services.audience.handler.answering import explanation, overlap, preview
from services.audience.store.answers import Answers
from services.audience.store.personal import Told, TooMany
from services.segmenter.domain import live
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.state import State
from tests.audience.kept import Kept, fact, merged

NOW, DAY = 1_798_761_600_000, 86_400_000  # 2027-01-01
ANN, BOB, CID = PEOPLE = [derive("profile", who) for who in ("ann", "bob", "cid")]
ZONES = ["Asia/Tokyo", "America/New_York", "no zone"]
VALUES = ["1990-01-01", "1990-01-01T23:30:00", "1990-12-31T20:00Z", "2000-02-29", "Ann", "", 7, 7.0, 7.5, True, ["Ann", 1], {"a": {"b": "Ann"}},
          NOW - 900 * DAY, "2027-01-02", 2**60]  # fmt: skip


def condition(**leaf: Any) -> Any:
    return ADAPTER.validate_python(leaf)


LEAVES = {
    **{f"{kind} {days}": {"kind": "anniversary", "name": "birthday", "before": kind, "days": days} for kind in (0, 1) for days in (1, 2)},
    "abroad": {"kind": "anniversary", "name": "birthday", "zone": "Asia/Tokyo"},
    "there": {"kind": "attribute", "name": "birthday", "op": "exists"},
    "missing": {"kind": "attribute", "name": "birthday", "op": "missing"},
    "not ann": {"kind": "attribute", "name": "birthday", "op": "ne", "value": "Ann"},
    "holds ann": {"kind": "attribute", "name": "birthday", "op": "contains", "value": "Ann"},
    "nested": {"kind": "attribute", "name": "birthday", "path": "a.b", "op": "eq", "value": "Ann"},
    "seven": {"kind": "attribute", "name": "birthday", "op": "eq", "value": 7},
    "more": {"kind": "attribute", "name": "birthday", "op": "gt", "value": 7},
    "true": {"kind": "attribute", "name": "birthday", "op": "eq", "value": True},
    "before": {"kind": "attribute", "name": "birthday", "op": "lt", "value": "1995-01-01", "type": "date"},
    "in a day": {"kind": "date", "name": "birthday", "after": -3600 * DAY, "until": DAY},
}  # fmt: skip


def told(kept: Kept, values: dict[str, Any]) -> Told:
    found = Told("64MB")
    found.add([(person, json.dumps(value)) for person, value in values.items()])
    with kept.index.instant() as instant:
        found.number(instant)
    return found


def asked(kept: Kept, values: dict[str, Any], leaf: dict[str, Any], now: int = NOW) -> int:
    world = World({}, told={"birthday": told(kept, values)})
    return int(preview(Answers(kept.index), world, condition(**leaf), (), now)["count"])


@pytest.fixture
def kept(kept: Kept) -> Kept:
    for person, zone in zip(PEOPLE, ZONES, strict=True):
        kept.told(fact(person, "zone", "", type="identify", attributes={"time_zone": zone}))
    return kept


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from(VALUES)), st.integers(-30, 30))
def test_a_personal_attribute_is_asked_as_live_segments_ask(kept: Kept, values: dict[str, Any], hours: int) -> None:
    now = NOW + hours * 3_600_000
    plan = compile_plan({key: condition(**leaf) for key, leaf in LEAVES.items()}, 1)
    expected: dict[str, set[str]] = {key: set() for key in LEAVES}
    for person, zone in zip(PEOPLE, ZONES, strict=True):
        said = {"time_zone": zone, **({"birthday": values[person]} if person in values else {})}
        one = Fact(id="1", type="identify", brand="b", source="s", occurred_at=now, received_at=now, attributes=said)
        for key in live.decide(State(), one, now, plan).state.members:
            expected[key].add(person)
    world = World({}, told={"birthday": told(kept, values)})
    with Answers(kept.index).view(now, world) as view:
        found = {key: set(view.ids(list(view.members(condition(**leaf))))) for key, leaf in LEAVES.items()}
    assert found == expected


def test_who_became_another_since_counts_as_that_one_and_who_is_erased_not_at_all(kept: Kept) -> None:
    values = told(kept, {ANN: "x", BOB: "y", CID: "x", derive("profile", "unknown"): "x"})
    world = World({}, told={"birthday": values})
    answers, is_x = Answers(kept.index), condition(kind="attribute", name="birthday", op="eq", value="x")
    assert sorted(preview(answers, world, is_x, (), NOW)["sample"]) == sorted([ANN, CID])
    kept.told(merged(BOB, ANN))
    kept.lake.erased.append(CID)
    kept.take()
    assert preview(answers, world, is_x, (), NOW)["sample"] == [BOB]
    why = explanation(answers, world, is_x, BOB, NOW)
    assert why["truth"] is True and why["tree"]["facts"]["value"] in {"x", "y"}
    both = overlap(
        answers,
        world,
        {"x": is_x, "no": condition(kind="not", of={"kind": "attribute", "name": "birthday", "op": "exists"})},
        (),
        NOW,
    )
    assert [one["count"] for one in both["sets"]] == [1, 0]


def test_nothing_of_it_is_on_a_disk_and_what_is_too_much_is_refused(kept: Kept, tmp_path: Path) -> None:
    secret = "a birthday that nobody else has"
    assert asked(kept, {ANN: secret}, {"kind": "attribute", "name": "birthday", "op": "eq", "value": secret}) == 1
    kept.index.close()
    kept.open()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not [path for path in files if secret.encode() in path.read_bytes()]
    few = Told("4MB")
    many = [(derive("p", n), json.dumps(f"{n} {secret * 9}")) for n in range(40_000)]
    with pytest.raises(TooMany, match="OTKLIK_AUDIENCE_PERSONAL_MEMORY"):
        few.add(many)


def test_which_attributes_a_question_needs_and_which_it_may_not_name() -> None:
    born = condition(kind="anniversary", name="birthday")
    tree = condition(
        kind="all",
        of=[
            {"kind": "segment", "key": "a"},
            {"kind": "not", "of": {"kind": "attribute", "name": "address", "path": "street", "op": "exists"}},
        ],
    )
    assert personal_names(tree, {"a": born}) == {"birthday", "address"} and faults(tree, {"a": born}) == []
    refused = [
        {"kind": "attribute", "name": "email", "op": "exists"},
        {"kind": "attribute", "name": "company", "path": "street", "op": "exists"},
        {"kind": "did", "event": "x", "window": {"kind": "around", "name": "birthday", "until": DAY}},
        {"kind": "did", "event": "x", "where": [{"path": "birthday", "op": "exists"}]},
    ]
    for leaf in refused:
        assert [fault.code for fault in faults(condition(**leaf), {})] == ["not_in_lake"], leaf
        assert personal_names(condition(**leaf), {}) == frozenset()
