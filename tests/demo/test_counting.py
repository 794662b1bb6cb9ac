"""The numbers of the table from what was seen: each promise that can be broken is seen to be broken."""

import pytest

from deploy.demo import counting
from deploy.demo.player import Played, Posted
from deploy.demo.reading import Told
from schemas.ids import derive

STEP, HOUR = 1_291_204_800_000, 3_600_000


def played(**more):
    facts = {name: Posted(STEP, 1_000) for name in ("f1", "f2", "f3")}
    given = {"facts": facts, "calls": 4, "releases": [(STEP, 1_100), (STEP + HOUR, 2_000)], **more}
    return Played(**given)


def told(name, kind="track", source="default"):
    return Told(id=name, type=kind, source=source, received_at=STEP)


def verdict(intent, verdict, by="sender", **more):
    given = {"document": "journey:welcome", "step": "hello", "received_at": STEP, **more}
    return {"id": derive("v", intent, verdict, by), "intent": intent, "verdict": verdict, "by": by, **given}


def mail(intent, at=1_500):
    return {"message_id": f"<{intent}@shop.example>", "at": at}


def test_facts_that_are_there_or_buried_are_not_lost():
    found = counting.facts(played(), [told("f1"), told("f2"), told("p", "profile.changed")], 3, [{"reason": "identifiers_missing"}])
    assert found == {
        "facts.in": 4, "facts.stored": 2, "facts.duplicates": 1, "facts.dead": 1, "facts.lost": 0, "dead.identifiers_missing": 1,
    }  # fmt: skip


def test_a_fact_that_is_nowhere_is_lost():
    assert counting.facts(played(), [told("f1"), told("f2")], 2, [])["facts.lost"] == 1


def test_an_open_that_did_not_become_a_fact_is_lost():
    seen = played()
    seen.reactions.update(open=2)
    stored = [told(name) for name in ("f1", "f2", "f3")]
    assert counting.facts(seen, [*stored, told("o1", source="links")], 4, [])["facts.lost"] == 1
    assert counting.facts(seen, [*stored, told("o1", source="links"), told("o2", source="links")], 5, [])["facts.lost"] == 0


def test_every_message_accepted_once_is_all_right():
    decisions = [verdict("i1", "sent", "orchestrator"), verdict("i1", "accepted")]
    assert counting.intents(decisions, [mail("i1")]) == {
        "messages.sent": 1, "intents.decided": 1, "intents.sent_twice": 0, "intents.lost": 0, "intents.in_doubt": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("decisions", "mails", "wrong"),
    [
        ([verdict("i1", "sent", "orchestrator"), verdict("i1", "accepted")], [mail("i1"), mail("i1")], "intents.sent_twice"),
        ([verdict("i1", "sent", "orchestrator"), verdict("i1", "accepted")], [], "intents.lost"),
        ([verdict("i1", "sent", "orchestrator")], [], "intents.lost"),
        ([verdict("i1", "sent", "orchestrator"), verdict("i1", "in_doubt")], [], "intents.in_doubt"),
    ],
)
def test_each_broken_promise_is_counted(decisions, mails, wrong):
    found = counting.intents(decisions, mails)
    assert {key for key in ("intents.sent_twice", "intents.lost", "intents.in_doubt") if found[key]} == {wrong}


def test_refused_and_doubtful_ones_are_not_lost():
    decisions = [v for n in ("skipped", "failed", "late", "held") for v in (verdict(n, "sent", "orchestrator"), verdict(n, n))]
    assert counting.intents(decisions, [])["intents.lost"] == 0


def test_the_last_word_on_an_intent_counts():
    first, second = verdict("i1", "late", received_at=STEP + 5), verdict("i1", "accepted", attempt=1, received_at=STEP + 9)
    decisions = [verdict("i1", "sent", "orchestrator"), second, first]
    assert counting.intents(decisions, [])["intents.lost"] == 1
    doubt, told = verdict("i1", "in_doubt"), verdict("i1", "accepted", received_at=STEP + 1)
    assert counting.intents([told, doubt], [mail("i1")])["intents.in_doubt"] == 0


def test_messages_by_step_and_rule():
    decisions = [
        verdict("i1", "accepted"),
        verdict("i2", "accepted"),
        verdict("", "deferred", "orchestrator", rule="same_day"),
        verdict("", "would_have_sent", "orchestrator", rule="global_control"),
        verdict("i3", "skipped", rule="consent"),
        verdict("", "skipped", "orchestrator", rule="reentry", step=""),
        verdict("", "entered", "orchestrator", step=""),
    ]
    assert counting.messages(decisions) == {
        "sent.welcome.hello": 2, "displaced.same_day": 1, "control.global_control": 1, "skipped.consent": 1, "runs.welcome.entered": 1,
    }  # fmt: skip


def test_latency_is_from_the_answer_to_the_mail_and_timers_from_their_release():
    decisions = [
        verdict("i1", "sent", "orchestrator", cause="f1"),
        verdict("i2", "sent", "orchestrator", cause="f2", received_at=STEP + 60_000),  # deferred: the same fact, an hour later
    ]
    found = counting.latency(played(mails=[mail("i1", 1_250), mail("i2", 2_070)]), decisions)
    assert (found["latency.p50_ms"], found["latency.mails"]) == (250, 1)
    assert (found["latency.timers_p50_ms"], found["latency.timers_mails"]) == (70, 1)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99)])
def test_quantiles(share, value):
    assert counting.quantile(list(range(100, 0, -1)), share) == value
    assert counting.quantile([], share) == 0
    assert counting.quantile([5], share) == 5


def test_the_digest_sees_words_and_not_places():
    one, two = verdict("i1", "accepted"), verdict("i2", "skipped", rule="consent")
    placed = [{**two, "src": "sender:x-1", "seq": [0, 7, 1]}, {**one, "src": "sender:x-0", "seq": [0, 1, 1]}]
    assert counting.digest([one, two]) == counting.digest(placed)
    assert counting.digest([one, two]) != counting.digest([one, {**two, "rule": "no_address"}])
    assert counting.digest([one]) != counting.digest([one, one])


def test_segments_fill_and_empty():
    changes = [{"type": kind, "segment": "buyers"} for kind in ("entered", "entered", "left")] + [{"type": "mark"}]
    assert counting.segments(["buyers", "empty"], {"buyers": 1}, changes) == {
        "segments.buyers.members": 1, "segments.buyers.entered": 2, "segments.buyers.left": 1,
        "segments.empty.members": 0, "segments.empty.entered": 0, "segments.empty.left": 0,
    }  # fmt: skip


def test_an_example_is_the_last_letter_of_its_step():
    decisions = [verdict("i1", "accepted"), verdict("i2", "accepted", received_at=STEP + 1), verdict("i3", "skipped", step="offer")]
    mails = [{**mail(name), "id": number} for number, name in enumerate(("i1", "i2"), 1)]
    assert counting.examples(decisions, mails) == {"example.welcome.hello": 2}
