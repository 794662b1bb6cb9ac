"""The index has each verdict of a message once, and what became of it, whoever's it is by now."""

from pathlib import Path
from typing import Any

import duckdb
import msgspec

from runtime.parted import parted_by
from schemas.facts import PROFILE_SPLIT, Fact, Split, SplitPart
from schemas.ids import derive
from schemas.messages import Decision
from services.audience.domain.world import World
from services.audience.handler import reporting
from services.audience.store.answers import Answers
from tests.audience.kept import ANN, BOB, CID, HOME, Kept, fact, merged


def decided(
    person: str, number: int, verdict: Any = "accepted", at: int = 5, document: str = "campaign:a", **more: Any
) -> Decision:
    return Decision(id=derive(person, number, verdict, *more.values()), brand="shop", profile=person, verdict=verdict, by="sender", received_at=at,
                    document=document, version=1, step="letter", occurrence="L1", intent=derive("intent", number), channel="email",
                    message_class="mass", **more)  # fmt: skip


def opened(person: str, number: int, at: int = 9_000, **more: Any) -> Fact:
    return fact(person, ("opened", number), "Email Opened", at, properties={"intent": derive("intent", number)}, **more)


def total(kept: Kept, **asked: Any) -> dict[str, tuple[int, int]]:
    told = reporting.counted(Answers(kept.index), World({}), {"asked": asked}, None, 10**9)["total"]
    return {one: (told[one]["messages"], told[one]["people"]) for one in ("sent", "opened", "failed", "in_doubt")}


def test_a_verdict_that_is_told_again_is_there_once_also_after_a_restart(kept: Kept) -> None:
    kept.lake.decide([decided(ANN, 1), decided(ANN, 1, attempt=1), decided(BOB, 2, "in_doubt")])
    kept.told(opened(ANN, 1))
    kept.index.close()
    kept.open()
    kept.lake.decide([decided(ANN, 1, attempt=2), decided(BOB, 3)])
    kept.take()
    kept.take()
    assert total(kept) == {"sent": (2, 2), "opened": (1, 1), "failed": (0, 0), "in_doubt": (1, 1)}


def test_a_doubt_ends_with_the_next_word_and_not_before_it(kept: Kept) -> None:
    kept.lake.decide([decided(ANN, 1, "in_doubt"), decided(BOB, 2, "in_doubt"), decided(CID, 3, "failed")])
    kept.lake.decide([decided(ANN, 1, at=100), decided(BOB, 2, "failed", at=100)])
    kept.take()
    assert total(kept) == {"sent": (1, 1), "opened": (0, 0), "failed": (2, 2), "in_doubt": (0, 0)}
    then = reporting.counted(Answers(kept.index), World({}), {"asked": {}}, None, 50)["total"]
    assert (then["sent"]["messages"], then["in_doubt"]["messages"]) == (0, 2)


def test_after_an_unmerge_what_became_of_a_message_is_counted_once(kept: Kept) -> None:
    kept.lake.decide([decided(ANN, 1), decided(BOB, 2)])
    kept.told(fact(ANN, 1), fact(BOB, 1), opened(ANN, 1), opened(BOB, 2), merged(ANN, BOB))
    kept.told(opened(ANN, 3, home=HOME))
    assert total(kept)["sent"] == (2, 1)
    cut = Split(act=derive("act"), parts=(SplitPart(profile=CID, homes=(HOME, BOB), others=(BOB,)),))
    kept.lake.parts += parted_by(ANN, cut)
    kept.told(fact(ANN, "split", "", 30, type=PROFILE_SPLIT, properties=msgspec.to_builtins(cut)))
    assert total(kept) == {"sent": (2, 2), "opened": (2, 2), "failed": (0, 0), "in_doubt": (0, 0)}
    with kept.index.instant() as instant:
        assert instant.duck.execute("SELECT count(*) FROM response").fetchall() == [(3,)]


def test_what_a_mailer_of_before_sent_counts_by_its_imported_facts(kept: Kept) -> None:
    sent = {"document": "campaign:old", "intent": "m-1", "class": "mass"}
    kept.told(fact(ANN, 1, "Email Sent", 5, properties=sent), fact(BOB, 1, "Email Sent", 5, properties={"document": "campaign:old"}),
              fact(ANN, 2, "Email Opened", 9_000, properties={"intent": "m-1"}), fact(CID, 1, "Email Sent", 5, source="sender", properties=sent))  # fmt: skip
    assert total(kept, documents=["campaign:old"]) == {"sent": (2, 2), "opened": (1, 1), "failed": (0, 0), "in_doubt": (0, 0)}


def test_two_mailers_that_both_number_their_messages_from_one_are_told_apart(kept: Kept) -> None:
    def sent(person: str, **more: Any) -> Fact:
        return fact(
            person, ("sent", *more.values()), "Email Sent", 5, properties={"document": "campaign:old", "intent": "1"}, **more
        )

    of_two_brands = sent(ANN), sent(BOB, brand="other")
    kept.told(*of_two_brands, sent(CID, source="mailer"))
    kept.told(fact(BOB, 3, "Email Opened", 9_000, brand="other", properties={"intent": "1"}))
    assert total(kept)["sent"] == (3, 3)
    assert total(kept, brands=["other"])["opened"] == (1, 1)
    assert total(kept, brands=["shop"])["opened"] == (0, 0)


def test_a_link_with_a_number_of_any_length_stops_nothing(kept: Kept) -> None:
    links = [0, 5_000_000_000, 2**53 - 1]
    kept.lake.decide([decided(ANN, 1)])
    kept.told(
        *(
            fact(ANN, link, "Email Link Clicked", 9_000 + n, properties={"intent": derive("intent", 1), "link": link})
            for n, link in enumerate(links)
        )
    )
    with kept.index.instant() as instant:
        assert instant.duck.execute("SELECT link FROM response ORDER BY moment").fetchall() == [(link,) for link in links]
    told = reporting.counted(Answers(kept.index), World({}), {"asked": {}}, None, 10**9)["total"]
    assert (told["clicked_raw"]["messages"], told["clicked"]["messages"]) == (1, 0), "three links at once are a scanner's"


def test_an_index_of_before_with_other_keys_is_built_anew(kept: Kept, tmp_path: Path) -> None:
    kept.lake.decide([decided(ANN, 1)])
    kept.take()
    kept.index.close()
    with duckdb.connect(str(tmp_path / "index.duckdb")) as duck:
        duck.execute("UPDATE meta SET version = 4")
    kept.open()
    assert (kept.index.places, total(kept)["sent"]) == ({}, (0, 0))
    kept.take()
    assert total(kept)["sent"] == (1, 1)


def test_arms_of_a_test_that_another_system_ran_count_by_imported_facts_and_who_was_in_none_would_have_got_it(kept: Kept) -> None:
    def arm(person: str, name: str, **more: Any) -> Fact:
        return fact(
            person,
            ("arm", name),
            "Arm Assigned",
            4,
            properties={"document": "campaign:old", "arm": name, "channel": "email", **more},
        )

    sent = fact(ANN, 1, "Email Sent", 5, properties={"document": "campaign:old"})
    kept.told(arm(ANN, "mens"), arm(BOB, "control"), fact(BOB, 2, "Bought", 9), sent, fact(CID, 1))
    kept.told(arm(ANN, "mens", home=HOME), arm(CID, "mens", document=""))
    asked = {"documents": ["campaign:old"], "by": ["variant"], "target": {"event": "Bought", "window": 1000}}
    told = reporting.counted(Answers(kept.index), World({}), {"asked": asked}, None, 10**9)
    assert [(row["variant"], row["sent"]["people"]) for row in told["rows"]] == [("mens", 1)]
    control = told["total"]["control"]["local"]
    assert (control["would_have_sent"]["people"], control["converted"]["people"]) == (1, 1)
    question = {
        "document": "campaign:old",
        "arms": ["control", "mens"],
        "versions": {0: 0},
        "measures": [{"key": "did", "kind": "conversion", "target": asked["target"]}],
    }
    (period,) = reporting.exposed(Answers(kept.index), World({}), {"asked": question}, None, 10**9)["periods"]
    assert {name: (of["people"], of["measures"]["did"]["all"]["sum_y"]) for name, of in period["arms"].items()} == {
        "control": (1, 1),
        "mens": (1, 0),
    }
    cut = Split(act=derive("act"), parts=(SplitPart(profile=CID, homes=(HOME,), others=()),))
    kept.lake.parts += parted_by(ANN, cut)
    kept.told(fact(ANN, "split", "", 30, type=PROFILE_SPLIT, properties=msgspec.to_builtins(cut)))
    with kept.index.instant() as instant:  # who was parted is read again, and nothing stands twice
        assert instant.duck.execute("SELECT count(*), count(DISTINCT key) FROM verdict WHERE state = 6").fetchall() == [(2, 2)]


def test_messages_are_of_the_way_that_a_split_sent_him_and_not_of_the_control_group_around_it(kept: Kept) -> None:
    def exposed(arm: str, step: str, salt: str, at: int) -> Decision:
        return Decision(id=derive(ANN, arm), brand="shop", profile=ANN, verdict="exposed", by="orchestrator", received_at=at, document="journey:w",
                        version=1, step=step, occurrence="R1", rule=f"arm:{arm}", detail={"salt": salt})  # fmt: skip

    letter = decided(ANN, 1, at=6)
    kept.lake.decide(
        [
            exposed("a", "split", "w.split", 3),
            exposed("treatment", "letter", "w", 5),
            msgspec.structs.replace(letter, document="journey:w"),
        ]
    )
    kept.take()
    told = reporting.counted(Answers(kept.index), World({}), {"asked": {"by": ["variant"]}}, None, 10**9)
    assert [(row["variant"], row["sent"]["messages"]) for row in told["rows"]] == [("a", 1)]
    only = {one: total(kept, variants=[one])["sent"] for one in ("a", "treatment")}
    assert only == {"a": (1, 1), "treatment": (0, 0)}


def test_only_what_was_done_in_the_brands_that_are_asked_about_follows_their_messages(kept: Kept) -> None:
    kept.lake.decide([decided(ANN, 1)])
    worth = {"total": {"minor": 777, "currency": "GBP"}}
    kept.told(
        fact(ANN, 2, "Bought", 900, brand="other", properties=worth),
        fact(ANN, 3, "Bought", 901, properties={"total": {"minor": 5, "currency": "RUB"}}),
    )
    target = {"event": "Bought", "value": "total"}
    told = reporting.counted(Answers(kept.index), World({}), {"asked": {"brands": ["shop"], "target": target}}, None, 10**9)[
        "total"
    ]
    assert (told["revenue"]["minor"], told["revenue"]["currency"], told["credited"]["actions"]) == (5, "RUB", 1)
    people = reporting.behind(
        Answers(kept.index), World({}), {"asked": {"brands": ["other"], "target": target}, "figure": "converted"}, None, 10**9
    )
    assert people["count"] == 0


def test_what_is_too_old_to_be_kept_goes(kept: Kept) -> None:
    kept.lake.decide([decided(ANN, 1, at=5), decided(BOB, 2, at=5_000)])
    kept.told(opened(ANN, 1, at=4_000), opened(BOB, 2))
    kept.index.forget_before(1_000)
    assert total(kept) == {"sent": (1, 1), "opened": (1, 1), "failed": (0, 0), "in_doubt": (0, 0)}


def test_verdicts_that_no_report_asks_of_are_not_kept(kept: Kept) -> None:
    kept.lake.decide([decided(ANN, n, verdict) for n, verdict in enumerate(("skipped", "entered", "goal", "unknown", "accepted"))])
    kept.take()
    with kept.index.instant() as instant:
        assert instant.duck.execute("SELECT count(*), count(DISTINCT letter) FROM verdict").fetchall() == [(1, 1)]
