"""The comparison of intents, ledger, SMTP log and journals notices each fault, and tells a race from one."""

from typing import Any

from tests.chaos.evidence import NEVER, Journal, Merges
from tests.chaos.ledger import Judgement, Ledger
from tests.chaos.standing import LEGAL, RECENT, check_standing
from tests.chaos.verify import Findings


def row(state: str, **more: Any) -> dict[str, Any]:
    return {"id": "i", "state": state, "attempt": 0, "started_at": 50, **more}


def intent(step: str = "price", profile: str = "P", src: str = "timers-0", at: int = 5, **more: Any) -> dict[str, Any]:
    given = {
        "id": "i",
        "document": "journey:welcome",
        "step": step,
        "profile": profile,
        "occurrence": "o",
        "data": {"event": {"message": "m1"}},
    }
    return {**given, "src": f"orchestrator:{src}", "seq": [0, at, 0], **more}


def told(verdict: str, **more: Any) -> dict[str, Any]:
    return {"by": "sender", "intent": "i", "verdict": verdict, **more}


def mail(what: str = "accepted", id_: str = "i") -> dict[str, Any]:
    return {"what": what, "message_id": f"{id_}@shop.example"}


def counted(rows: list, intents: list, mails: list, verdicts: list) -> dict[str, int]:
    found = Findings()
    Ledger(rows, intents, mails, verdicts).check(found)
    return dict(found.counts)


def test_an_intent_in_one_final_state_everywhere_is_no_finding():
    assert counted([row("accepted")], [intent()], [mail()], [told("accepted")]) == {}
    assert counted([row("failed")], [intent()], [], [told("failed")]) == {}
    assert counted([row("in_doubt")], [intent()], [], [told("in_doubt")]) == {}
    assert counted([row("in_doubt")], [intent()], [mail()], [told("in_doubt")]) == {}
    assert counted([row("accepted")], [intent()], [mail()], [told("accepted"), told("in_doubt")]) == {}
    assert counted([], [intent()], [], [told("skipped")]) == {}  # refused before it had a row
    second = [told("accepted", attempt=1), told("late")]  # of another partition: read in any order
    assert counted([row("accepted", attempt=1)], [intent()], [mail()], second) == {}


def test_every_contradiction_is_a_finding():
    lost, different = {"intents.lost": 1}, {"state.differences": 1}
    assert counted([], [intent()], [], []) == lost
    assert counted([row("started")], [intent()], [], []) == lost | different
    assert counted([row("accepted")], [intent()], [], [told("accepted")]) == different
    assert counted([row("accepted")], [intent()], [mail(), mail()], [told("accepted")]) == different
    assert counted([row("failed")], [intent()], [mail()], [told("failed")]) == different
    assert counted([row("accepted")], [intent()], [mail()], []) == different
    assert counted([row("accepted")], [], [mail()], [told("accepted")]) == {"state.differences": 2}
    assert counted([], [], [mail()], []) == different


def test_each_letter_has_its_fact():
    book = Ledger([row("accepted")], [intent()], [mail()], [told("accepted")])
    sent = {"source": "sender", "event": "Email Sent", "properties": {"intent": "i"}}
    for records, count in (([sent], 0), ([], 1), ([sent, sent], 1)):
        found = Findings()
        book.check_facts(found, records)
        assert found.counts["state.differences"] == count


def test_doubt_that_the_server_made_is_counted_apart():
    book = Ledger([row("in_doubt")], [intent()], [mail(), mail("drop")], [told("in_doubt")])
    assert (book.doubted(), book.counts()["intents.in_doubt"]) == (0, 1)
    assert Ledger([row("in_doubt")], [intent()], [], [told("in_doubt")]).doubted() == 1


def log(*rows: tuple[int, str, int, int]) -> Journal:
    """(id, topic, from, to), all of partition 0; now = 10 * id."""
    return Journal(
        {"id": i, "now": 10 * i, "topics": [topic], "partitions": [0], "from_offsets": [a], "to_offsets": [b]}
        for i, topic, a, b in rows
    )


def test_a_journal_knows_what_came_in_which_transaction():
    journal = log((3, "facts", 0, 4), (5, "facts", 4, 4), (7, "facts", 4, 9), (9, "timers", 5, 6))
    assert [journal.handled("facts", 0, n) and journal.handled("facts", 0, n).id for n in (0, 3, 4, 8, 9)] == [3, 3, 7, 7, None]
    assert journal.told(intent()).id == 9
    assert journal.handled("facts", 1, 0) is None


def merged(winner: str, loser: str, offset: int) -> dict[str, Any]:
    return {
        "type": "profile.merged", "properties": {"winner": winner, "loser": loser}, "_topic": "facts", "_partition": 0, "_offset": offset,
        "profile": winner, "source": "site",
    }  # fmt: skip


def test_merges_tell_since_when_two_are_one():
    merges = Merges(log((3, "facts", 0, 4), (7, "facts", 4, 9)), [merged("A", "B", 1), merged("A", "C", 6), merged("D", "E", 99)])
    assert merges.since("A", "A") == 0
    assert merges.since("B", "A") == 3
    assert merges.since("B", "C") == 7
    assert merges.since("A", "D") == NEVER
    assert merges.since("D", "E") == NEVER


def paid(offset: int, profile: str = "P") -> dict[str, Any]:
    return {
        "id": "paid", "type": "track", "event": "Balance Topped Up", "source": "site", "identifiers": ["user_id:1"], "profile": profile,
        "occurred_at": 5, "properties": {"amount": {"minor": 1}, "message": "m2"}, "_topic": "facts", "_partition": 0, "_offset": offset,
    }  # fmt: skip


def registered() -> dict[str, Any]:
    return paid(0) | {"id": "reg", "event": "Registered", "occurred_at": 0, "properties": {"message": "m1"}}


def judged(journal: Journal, records: list, entry: dict[str, Any], kind: str = "extra") -> tuple[dict[str, int], int]:
    book = Ledger([row("accepted")], [intent()], [mail()], [told("accepted")])
    judge, found = Judgement(book, records, journal, journal), Findings()
    judge.learn(records)
    judge.judge(found, {"twice": [], "missing": [], "extra": [], kind: [entry]})
    return dict(found.counts), judge.raced


def test_a_letter_decided_before_its_goal_was_known_is_a_race_and_after_it_a_fault():
    entry = {"names": ["user_id:1"], "step": "price", "least": 0, "most": 0, "letters": ["i@shop.example"]}
    before = log((3, "facts", 0, 1), (9, "timers", 5, 6), (12, "facts", 1, 9))
    assert judged(before, [registered(), paid(4)], entry) == ({}, 1)
    after = log((3, "facts", 0, 9), (9, "timers", 5, 6))
    assert judged(after, [registered(), paid(4)], entry) == ({"state.differences": 2}, 0)  # too many, and after its goal


def test_what_is_missing_is_lost_unless_its_intent_says_why():
    entry = {"names": ["user_id:1"], "step": "price", "least": 1, "most": 1, "letters": []}
    journal = log((3, "facts", 0, 1), (9, "timers", 5, 6))
    found, _ = judged(journal, [registered()], entry, "missing")
    assert found == {"intents.lost": 1}, "accepted by the ledger is no excuse: the server does not have it"
    for state, lost in (("in_doubt", 0), ("failed", 0), ("skipped", 1)):
        book = Ledger([row(state)], [intent()], [], [told(state)])
        judge, counts = Judgement(book, [registered()], journal, journal), Findings()
        judge.learn([registered()])
        judge.judge(counts, {"twice": [], "missing": [entry], "extra": []})
        assert counts.counts["intents.lost"] == lost


def test_a_letter_that_a_no_overtook_is_a_race_and_one_refused_before_it_is_lost():
    entry = {"names": ["user_id:1"], "step": "price", "least": 1, "most": 1, "letters": []}
    journal = log((3, "facts", 0, 9), (9, "timers", 5, 6))
    no = paid(4) | {"event": "Consent Withdrawn", "received_at": 100}
    for rule, at, outcome in (("consent", 101, (0, 1)), ("consent", 99, (1, 0)), ("no_address", 101, (1, 0))):
        book = Ledger([row("skipped")], [intent()], [], [told("skipped", rule=rule, received_at=at)])
        judge, counts = Judgement(book, [registered(), no], journal, journal), Findings()
        judge.learn([registered(), no])
        judge.judge(counts, {"twice": [], "missing": [entry], "extra": []})
        assert (counts.counts["intents.lost"], judge.raced) == outcome


def test_where_somebody_stands_is_compared_with_what_he_is():
    people = [
        {"identifiers": ["user_id:1"], "attributes": {"legal_entity": [5, True]}},
        {"identifiers": ["user_id:2"], "attributes": {}},
    ]
    owner = {"user_id:1": "A", "user_id:2": "B"}

    def news(profile: str, segment: str, kind: str = "entered") -> dict[str, Any]:
        return {"type": kind, "profile": profile, "segment": segment}

    def count(*told: dict[str, Any]) -> int:
        found = Findings()
        check_standing(found, told, owner, people)
        return found.counts["state.differences"]

    assert count(news("A", LEGAL), news("B", RECENT), news("B", RECENT, "left")) == 0
    assert count() == 1
    assert count(news("A", LEGAL), news("A", LEGAL, "left"), news("B", LEGAL), news("B", RECENT)) == 3
