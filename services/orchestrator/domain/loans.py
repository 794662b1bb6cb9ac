"""Promo codes that a person keeps over his runs, and those that go back to their pool because they never went out.

A code may go back when no run has it any more and of each intent that carried it the sender has said that it was skipped, or it was
decided anew and skipped. What was accepted, failed at a provider or is in doubt may have been read by somebody, and what he used has been: such
a code is his for good.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.facts import Fact
from schemas.ids import derive
from schemas.messages import KEEPS, Decision, Intent
from schemas.promo_pools import RETURNED
from services.orchestrator.domain import codes
from services.orchestrator.domain.state import Held, Person, Run, replace
from services.orchestrator.domain.steps.saying import SOURCE
from services.orchestrator.domain.turn import Moment, Turn

PROMO = "promo"  # where the codes lie in a run's data
RULE = "promo_never_sent"


def promo(run: Run) -> Mapping[str, Any]:
    """Step -> what it gave."""
    found: Mapping[str, Any] = run.data.get(PROMO, {})
    return found


def numbers(data: Mapping[str, Any]) -> set[int]:
    """Of the codes in the data of a run or of an intent."""
    return {one["number"] for one in data.get(PROMO, {}).values()}


def kept(person: Person, pool: str) -> Held | None:
    """The one that he gets of this pool whatever asks; of two (two people became one) the earlier."""
    return min((one for one in person.codes if one.kept and one.pool == pool), key=_age, default=None)


def note(turn: Turn, held: Held) -> None:
    """Keep it in mind; forget those of pools that are out of force."""
    person = turn.person
    person.codes = [*(one for one in person.codes if one.lent or one.pool in turn.book.pools), held]


def joined(mine: Sequence[Held], theirs: Sequence[Held]) -> list[Held]:
    """Of two people who are one."""
    return sorted({one.number: one for one in (*theirs, *mine)}.values(), key=_age)


def learnt(stays: Run, goes: Run) -> dict[str, Any]:
    """The data of a run that takes over what another of the same journey was given at steps that it has not done."""
    given = {**promo(goes), **promo(stays)}
    return {**stays.data, PROMO: given} if given else stays.data


def hear(turn: Turn, verdict: Decision) -> None:
    """The sender tells what became of an intent. A skip of an attempt that was decided anew says nothing of the later one."""
    mine = [one for one in turn.person.codes if one.lent and verdict.intent in one.letters]
    for one in mine:
        if verdict.verdict in KEEPS or verdict.verdict == "failed":
            _put(turn, replace(one, lent=False, letters={}))
        elif verdict.verdict == "skipped" and verdict.attempt >= one.letters[verdict.intent]:
            _put(turn, replace(one, letters=_without(one.letters, (verdict.intent,))))


def spend(turn: Turn, number: int) -> None:
    """He has used it himself: it never goes back."""
    for one in [one for one in turn.person.codes if one.lent and one.number == number]:
        _put(turn, replace(one, lent=False, letters={}))


def settle(turn: Turn, moment: Moment) -> None:
    """At the end of a decision: note which codes its intents carry, and let go back what will never go out."""
    lent = [one for one in turn.person.codes if one.lent]
    if not lent:
        return
    alive = {number for run in turn.person.runs for number in numbers(run.data)}
    skipped = [e.intent for e in turn.emitted if isinstance(e, Decision) and e.verdict in ("skipped", "would_have_sent")]
    said = [e for e in turn.emitted if isinstance(e, Fact)]
    for one in lent:
        issued = {e.id: e.attempt for e in turn.emitted if isinstance(e, Intent) and one.number in numbers(e.data)}
        letters = _without({**one.letters, **issued}, skipped)
        if any(one.code in fact.attributes.values() for fact in said):  # a step has told it to the profile
            _put(turn, replace(one, lent=False, letters={}))
        elif letters or one.number in alive:
            _put(turn, replace(one, letters=letters))
        else:
            _give_back(turn, one, moment)


def fact(turn: Turn, event: str, held: Held, moment: Moment) -> Fact:
    """What happened to a code of his, as a fact of his."""
    key = (f"journey:{held.journey}", held.version, held.step, held.occurrence, held.number, moment.now)
    return Fact(
        id=derive(event, *key),
        type="track",
        event=event,
        brand=held.brand,
        source=SOURCE,
        occurred_at=moment.now,
        received_at=moment.now,
        about=turn.profile,
        properties={"pool": held.pool, "code_number": held.number, "journey": held.journey, "step": held.step},
        cause=moment.cause or None,
    )


def _give_back(turn: Turn, one: Held, moment: Moment) -> None:
    turn.person.codes.remove(one)
    turn.moves.append(codes.Return(one.number))
    run = Run(one.journey, one.version, one.occurrence, one.brand, one.at, one.at)
    turn.tell(run, "returned", moment, RULE, step=one.step, detail={"pool": one.pool, "code": one.number})
    turn.emit(fact(turn, RETURNED, one, moment))


def _put(turn: Turn, one: Held) -> None:
    """What is neither lent nor kept need not be remembered."""
    rest = [other for other in turn.person.codes if other.number != one.number]
    turn.person.codes = sorted([*rest, one], key=_age) if one.lent or one.kept else rest


def _without(letters: Mapping[str, int], gone: Iterable[str]) -> dict[str, int]:
    gone = set(gone)
    return {intent: attempt for intent, attempt in letters.items() if intent not in gone}


def _age(one: Held) -> tuple[int, int]:
    return one.at, one.number
