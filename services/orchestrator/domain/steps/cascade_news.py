"""What is heard of the letters of a cascade, noted in the run that stands in it; what follows from it is decided in cascading.py."""

from schemas.facts import Fact
from schemas.messages import Decision
from schemas.steps import Cascade
from services.orchestrator.domain import sending
from services.orchestrator.domain.state import Pending, Run, Trying, replace
from services.orchestrator.domain.steps.letters import IMPLIES
from services.orchestrator.domain.turn import Moment, Turn

GOOD, READ = IMPLIES["accepted"], IMPLIES["opened"]
FINAL = {"accepted": "accepted", "failed": "failed", "skipped": "skipped", "in_doubt": "in_doubt", "unknown": "in_doubt"}
GIVEN_UP = "late"  # it came back late, and its patience was over: it goes no more
HEARD = {*FINAL.values(), GIVEN_UP}


def stops(message_class: str) -> tuple[str, ...]:
    """The words on a letter that was left after which no other is sent. A second password mail is better than none; two texts to sell
    something are worse than one that may be lost (law 7).
    """
    return ("accepted",) if message_class == "service" else ("accepted", "in_doubt")


def give_up(turn: Turn, verdict: Decision) -> None:
    """One that comes back late is not decided again once its channel has had its time, so that a provider that is down holds nothing up;
    nor if the cascade has another one in hand. To be asked before the verdict is settled.
    """
    pending = turn.person.pending.get(verdict.intent)
    if verdict.verdict != "late" or pending is None or pending.attempt != verdict.attempt or pending.due_at is not None:
        return
    for run in turn.person.runs:
        at = run.cascade
        if at is None or not pending.of(run) or pending.step != run.step:
            continue
        if at.letter is None or not at.has(verdict.intent):
            _drop(turn, pending, verdict)
        elif len(at.left) > 1 and _is_over(turn, run, at, verdict.received_at):
            _drop(turn, pending, verdict)
            turn.put(replace(run, cascade=replace(at, letter=at.letter.told(GIVEN_UP))))
        return


def _drop(turn: Turn, pending: Pending, verdict: Decision) -> None:
    """It goes no more; said aloud, also for what hears of it that it carried (`loans.settle`)."""
    del turn.person.pending[verdict.intent]
    moment, of = Moment(verdict.received_at, verdict.id), {"channel": verdict.channel, "message_class": verdict.message_class}
    key, attempt = verdict.intent, pending.attempt
    turn.tell(pending.run, "skipped", moment, "not_delivered", step=pending.step, intent=key, attempt=attempt, **of)


def _is_over(turn: Turn, run: Run, at: Trying, now: int) -> bool:
    """Has the channel at hand had as long since it was sent as it would have had since it was taken?"""
    plan = turn.plan(run)
    step = plan.steps.get(run.step) if plan else None
    if not isinstance(step, Cascade):
        return False
    attempt = next(one for one in step.cascade if one.channel == at.left[0])
    waits = [wait for wait in (attempt.delivered_ms, attempt.read_ms) if wait]
    return bool(waits) and at.at + min(waits) <= now


def of_intent(turn: Turn, intent: str) -> list[Run]:
    """Runs that may go on because an intent of theirs waits for nothing any more."""
    if intent in turn.person.pending:
        return []
    return [run for run in turn.person.runs if run.cascade and intent in [letter.intent for letter in run.cascade.letters]]


def of_verdict(turn: Turn, verdict: Decision, flew: bool) -> list[Run]:
    """Note what the sender says at last of an intent. flew: it was waited for until now."""
    found = of_intent(turn, verdict.intent)
    word = FINAL.get(verdict.verdict, "")
    again = []
    for run in found:
        at = run.cascade
        assert at is not None
        if at.has(verdict.intent):
            at = _told(at, verdict, word)
        elif word in stops(verdict.message_class) and not _has(at, verdict.intent, word):
            # It was left in doubt, or is of somebody who is one with him since: he has it, or may have it, and is sent no more of it.
            at = replace(_behind(at, verdict.intent, word), left=())
        elif _has(at, verdict.intent, ""):
            at = _behind(at, verdict.intent, word or GIVEN_UP)
        changed = replace(run, cascade=at)
        turn.put(changed)
        again += [changed] if flew or at != run.cascade else []
    return again


def _told(at: Trying, verdict: Decision, word: str) -> Trying:
    """The sender's last word on the letter at hand."""
    assert at.letter is not None
    if word and not set(at.letter.became) & {"accepted", word, GIVEN_UP}:
        at = replace(at, letter=at.letter.told(word), at=verdict.received_at)
    return replace(at, left=()) if verdict.rule == "same_address" else at  # it has got it by another key


def of_fact(turn: Turn, fact: Fact, became: str) -> list[Run]:
    """Note what a reader or a provider tells. Who has read it by one channel is sent it by no other."""
    intent, found = str(fact.properties.get("intent", "")), []
    for run in turn.person.runs if intent else ():
        at = run.cascade
        if at is None:
            continue
        if at.letter and at.has(intent):
            at = replace(at, letter=at.letter.told(became))
        elif became in GOOD:
            at = _behind(at, intent, became)
        if at != run.cascade:
            changed = replace(run, cascade=replace(at, left=()) if became in READ else at)
            turn.put(changed)
            found += [changed] if became in READ or at.has(intent) else []
    return found


def joined(stays: Run, goes: Run) -> Trying | None:
    """Where the one run of two stands in the cascade of its step: where the one that has come further with it did. What the other one was
    sent is left behind; nothing follows if that is through with it.
    """
    one, other = stays.cascade, goes.cascade
    if (stays.step, stays.version) != (goes.step, goes.version) or other is None:
        return replace(one, left=()) if one and stays.step in goes.done and stays.version == goes.version else one
    if one is None:
        return None if stays.step in stays.done else other
    further, nearer = (other, one) if _reached(other) > _reached(one) else (one, other)
    at = replace(further, behind=(*further.behind, *(letter for letter in nearer.letters if letter.intent)))
    return replace(at, left=()) if one.taken and other.taken else at  # each has had it: that is enough


def stands(run: Run, step: str) -> bool:
    """Is it in the middle of the cascade of this step?"""
    return run.step == step and run.cascade is not None and bool(run.cascade.left)


def of_runs(turn: Turn, joined: list[Run]) -> list[Run]:
    """Those of them that stand in a cascade."""
    return [run for run in _now(turn, joined) if run.cascade is not None]


def keep_one(turn: Turn, run: Run, keys: list[str], moment: Moment) -> None:
    """Of the intents of two cascades that are one none waits to be sent again, but that at hand where none is under way."""
    waiting = [key for key in keys if (letter := turn.person.pending[key]).due_at is not None or letter.parked]
    at = run.cascade
    for key in waiting if at else ():
        assert at is not None
        if len(waiting) < len(keys) or not at.has(key):
            sending.forget(turn, key, moment, "merged")
            at = _behind(at, key, "skipped")
    turn.put(replace(run, cascade=at))


def _reached(at: Trying) -> tuple[bool, int, bool]:
    return at.taken, at.place, at.letter is not None


def _has(at: Trying, intent: str, word: str) -> bool:
    """Has this become of a letter that was left? "": has nothing?"""
    return any(
        word in letter.became if word else HEARD.isdisjoint(letter.became) for letter in at.behind if letter.intent == intent
    )


def _behind(at: Trying, intent: str, word: str) -> Trying:
    return replace(at, behind=tuple(letter.told(word) if letter.intent == intent else letter for letter in at.behind))


def _now(turn: Turn, runs: list[Run]) -> list[Run]:
    """The same runs, as they are by now."""
    keys = {(run.journey, run.occurrence) for run in runs}
    return [run for run in turn.person.runs if (run.journey, run.occurrence) in keys]
