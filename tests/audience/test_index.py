"""The index holds what the lake holds: once, whoever became one with whom, was parted or is gone, and across restarts."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.lake import StaleSnapshot
from runtime.parted import parted_by
from schemas import audience as a
from schemas.facts import PROFILE_CHANGED, PROFILE_SPLIT, Fact, Split, SplitPart
from schemas.ids import derive
from services.audience.domain.whose import Merge, joined
from services.audience.domain.world import World
from services.audience.settings import KeptSettings
from services.audience.store.answers import Answers, View
from services.audience.store.index import AnotherLake
from services.audience.store.leaves import Leaves
from tests.audience.kept import ANN, BOB, CID, HOME, NOW, Kept, fact, merged
from tests.audience.lake import Written

BOUGHT = a.Did(event="Bought")
TWICE = a.Did(event="Bought", value=2)


def test_each_fact_once_however_often_one_looks_and_across_a_restart(kept: Kept) -> None:
    kept.told(fact(ANN, 1), fact(BOB, 1))
    kept.take()
    kept.index.close()
    kept.open()
    kept.take()
    kept.told(fact(BOB, 2), partition=3)
    assert (kept.of(BOUGHT), kept.of(TWICE)) == ({ANN, BOB}, {BOB})
    assert kept.of(BOUGHT, now=9) == set(), "it had not happened by then"


def test_facts_that_were_merged_into_another_file_meanwhile_are_those_that_were_there(kept: Kept) -> None:
    kept.told(fact(ANN, 1))
    kept.lake.add([fact(BOB, 1)])
    kept.lake.merge()
    kept.take()
    assert (kept.of(BOUGHT), kept.of(TWICE)) == ({ANN, BOB}, set())


def test_a_file_that_is_gone_changes_nothing(kept: Kept) -> None:
    kept.told(fact(ANN, 1, "Seen"))
    kept.lake.add([fact(BOB, 1, properties={"color": "red"})])
    news = kept.lake.look(dict(kept.index.places))
    (news.folder / news.files[-1][0]).unlink()
    with pytest.raises(StaleSnapshot):
        kept.index.take(news)
    assert kept.of(a.All(of=())) == {ANN}


def test_another_lake_is_no_news_of_this_one(kept: Kept, tmp_path: Path) -> None:
    kept.told(fact(ANN, 1))
    other = Written(tmp_path / "other", "two")
    other.add([fact(BOB, 1), fact(BOB, 2)])
    with pytest.raises(AnotherLake):
        kept.index.take(other.look(dict(kept.index.places)))
    with pytest.raises(AnotherLake):
        kept.index.take(kept.lake.look({("facts", 0): 99}))
    kept.index.begin_anew()
    kept.index.take(other.look({}))
    assert kept.of(a.All(of=())) == {BOB}
    other.close()


@pytest.mark.parametrize("late", [False, True])
def test_merges_add_up_in_whatever_order_they_are_heard(kept: Kept, late: bool) -> None:
    told = [merged(ANN, BOB, 20), merged(BOB, CID, 15)]
    kept.told(fact(ANN, 1, attributes={"plan": "b"}), fact(CID, 1, attributes={"plan": "a"}), fact(BOB, 1, "Seen"))
    for one in reversed(told) if late else told:
        kept.told(one)
    kept.told(fact(CID, 2, at=5))
    assert kept.of(a.All(of=())) == {ANN}
    assert kept.of(a.Did(event="Bought", op="eq", value=3)) == {ANN}
    assert kept.of(a.Attribute(name="plan", op="eq", value="b")) == {ANN}, "the greater text of one instant"
    assert kept.of(a.Not(of=BOUGHT)) == set()


def test_two_who_are_said_to_have_become_one_with_each_other_are_one() -> None:
    assert joined([Merge(1, 2), Merge(2, 1), Merge(2, 3)], {1: 1, 2: 2, 3: 3}) == {2: 1, 3: 1}


def test_who_was_parted_has_his_own_and_is_told_of_as_himself(kept: Kept) -> None:
    was = (
        fact(ANN, 1, at=10),
        fact(ANN, 2, at=11, home=HOME, attributes={"plan": "his"}),
        fact(BOB, 3, at=12),
        merged(ANN, BOB, 13),
    )
    kept.told(
        *was, fact(ANN, 4, "", 14, type=PROFILE_CHANGED, attributes={"plan": [11, "his"]}, identifiers=("email:b@x.example",))
    )
    assert kept.of(a.Did(event="Bought", op="eq", value=3)) == {ANN}
    cut = Split(act=derive("act"), parts=(SplitPart(profile=CID, homes=(HOME, BOB), others=(BOB,)),))
    said = {"properties": msgspec.to_builtins(cut), "attributes": {"tier": [9, "hers"]}, "identifiers": ("phone:+79160000000",)}
    kept.lake.parts += parted_by(ANN, cut)
    kept.told(
        fact(ANN, "split", "", 30, type=PROFILE_SPLIT, **said),
        fact(CID, "is", "", 30, type=PROFILE_CHANGED, attributes={"plan": [11, "his"]}, identifiers=("email:b@x.example",)),
        fact(ANN, 5, at=31, home=HOME),
    )
    assert kept.of(a.Did(event="Bought", op="eq", value=1)) == {ANN}
    assert kept.of(a.Did(event="Bought", op="eq", value=3)) == {CID}
    assert kept.of(a.Attribute(name="plan", op="exists")) == {CID}
    assert kept.of(a.Attribute(name="tier", op="exists")) == {ANN}
    assert (kept.of(a.Reachable(channel="email")), kept.of(a.Reachable(channel="sms"))) == ({CID}, {ANN})


def test_who_was_erased_is_nowhere_and_never_comes_back(kept: Kept) -> None:
    both = (fact(BOB, 1, attributes={"plan": "a"}, identifiers=("email:b@x.example",)), fact(BOB, 2, "Seen"))
    kept.told(fact(ANN, 1), *both, bucket(BOB))
    kept.lake.erased += [BOB]
    kept.take()
    kept.told(fact(BOB, 3))
    assert kept.of(a.All(of=())) == kept.of(BOUGHT) == {ANN}
    with kept.index.instant() as instant:
        numbers = {row[0] for row in instant.duck.execute("SELECT n FROM piece WHERE owner IS NULL").fetchall()}
        for (table,) in instant.duck.execute("SELECT table_name FROM duckdb_columns() WHERE column_name = 'person'").fetchall():
            there = {row[0] for row in instant.duck.execute(f"SELECT person FROM {table}").fetchall()}
            assert not there & numbers, table


def test_what_the_lake_keeps_no_more_is_kept_no_more(kept: Kept) -> None:
    kept.told(fact(ANN, 1, at=10), fact(BOB, 1, at=20))
    assert kept.of(BOUGHT) == {ANN, BOB}
    kept.index.forget_before(20)
    assert kept.of(BOUGHT) == {BOB}
    days = KeptSettings(facts_days=2)
    assert days.since(5 * 86_400_000 + 7) == 3 * 86_400_000 and KeptSettings(facts_days=None).since(7) is None


def bucket(person: str) -> Fact:
    return fact(person, "bucket", "", type=PROFILE_CHANGED, bucketing_id="b1", bucketed_at=1)


def test_brands_and_rules(kept: Kept) -> None:
    trusted = fact(BOB, 2, "", type=PROFILE_CHANGED, attributes={"plan": [10**13 * 15 + 4, "crm"]})
    kept.told(fact(ANN, 1, brand="a"), fact(BOB, 1, at=99, brand="b", attributes={"plan": "site"}, ruled=("plan",)), trusted)
    assert (kept.of(BOUGHT, ("a",)), kept.of(BOUGHT, ("a", "b")), kept.of(BOUGHT)) == ({ANN}, {ANN, BOB}, {ANN, BOB})
    assert kept.of(a.Attribute(name="plan", op="eq", value="crm")) == {BOB}
    kept.told(fact(ANN, 2, at=100, attributes={"plan": "site"}, ruled=("plan",)))
    assert kept.of(a.Attribute(name="plan", op="eq", value="site")) == set(), "what was refused by rule is not said"


def test_an_answer_is_kept_until_what_it_was_read_from_changes(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = View.found
    monkeypatch.setattr(View, "found", lambda view, one: asked.append(one) or real(view, one))
    found = Answers(kept.index)

    def count(condition: Any, now: int = NOW) -> tuple[int, int]:
        """How many, and how many queries it took."""
        asked.clear()
        with found.view(now, World({})) as view:
            return len(view.members(condition)), len(asked)

    both = a.All(of=(BOUGHT, a.Attribute(name="plan", op="exists")))
    kept.told(fact(ANN, 1, attributes={"plan": "a"}))
    assert count(both) == (1, 3) and count(both) == (1, 0)
    kept.told(fact(ANN, 2, "Seen"))
    assert count(both) == (1, 0), "of somebody known, something that it does not ask about"
    kept.told(fact(BOB, 1))
    assert count(both) == (1, 2), "everybody, and who bought"
    kept.told(fact(BOB, 2, "", attributes={"plan": "b"}, type="identify"))
    assert count(both) == (2, 1)
    kept.told(merged(ANN, BOB))
    assert count(both) == (1, 3)
    assert count(BOUGHT, 9) == (0, 1) and count(BOUGHT) == (1, 0) and count(BOUGHT, 9) == (0, 0), "an instant of before has its own"
    recent = a.Did(event="Bought", within=5)
    assert count(recent, 12) == (1, 1) and count(recent, 12) == (1, 0) and count(recent, 15) == (0, 1)


def test_a_table_out_of_order_is_written_anew_and_answers_the_same(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.audience.store import happenings

    monkeypatch.setattr(happenings, "SORTED_AGAIN", 1)
    day = 86_400_000
    kept.told(*(fact(ANN, n, at=n * day) for n in range(5)))
    with kept.index.instant() as before:
        kept.told(fact(BOB, 1, at=1), fact(BOB, 2, at=0))
        assert kept.index.keep_house()
        assert before.duck.execute("SELECT count(*) FROM e_0").fetchall() == [(5,)], "who reads goes on with what he has"
    assert not kept.index.keep_house()
    assert kept.of(TWICE, now=6 * day) == {ANN, BOB}


def test_what_has_no_column_is_looked_at_for_itself_alone(kept: Kept) -> None:
    total = a.Total(event="Bought", sum="total", op="ge", value=2)
    other = a.Did(event="Bought", where=(a.Filter(path="goods.first", op="exists"),))
    kept.told(
        fact(ANN, 1, properties={"total": 1, "goods": [1, 2]}), fact(BOB, 1, properties={"total": 2, "goods": {"first": "x"}})
    )
    for _ in range(2):
        with kept.index.instant() as now:
            found = Leaves(now.catalog, NOW)
            assert "rest" not in found.ask(total).queries[0] and "rest" in found.ask(other).queries[0]
        assert kept.of(total) == {BOB} and kept.of(other) == {BOB}
        kept.index.close()
        kept.open()
    kept.told(fact(ANN, 3, properties={"total": [5]}))
    with kept.index.instant() as now:
        assert "rest" in Leaves(now.catalog, NOW).ask(total).queries[0]
    assert kept.of(total) == {BOB}
