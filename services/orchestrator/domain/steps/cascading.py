"""A message over the first channel that reaches him: one intent after the other, never the next while the one before may still go.

The run stays on the step. Whatever is heard of a letter of it is noted by the functions below; `act` looks at what is noted, and at nothing
else, so it may be called at any time, in whatever order things are heard.
"""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.facts import Fact
from schemas.messages import Decision
from schemas.steps import Cascade
from services.orchestrator.domain import sending
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Letter, Person, Run, Trying, replace
from services.orchestrator.domain.steps.letters import IMPLIES
from services.orchestrator.domain.steps.way import Go
from services.orchestrator.domain.turn import Moment, Turn

GOOD, READ = IMPLIES["accepted"], IMPLIES["opened"]
FINAL = {"accepted": "accepted", "failed": "failed", "skipped": "skipped", "in_doubt": "in_doubt", "unknown": "in_doubt"}
GIVEN_UP = "late"  # it came back late, and its patience was over: it goes no more
HEARD = {*FINAL.values(), GIVEN_UP}


class Fate(NamedTuple):
    """What becomes of the channel at hand. until: it is waited for till then (ms); rule: why it is left; on: for the next one."""

    until: int | None = None
    rule: str = ""
    on: bool = False


def act(turn: Turn, plan: Plan, run: Run, step: Cascade, moment: Moment) -> Go | None:
    """Try channels until one is under way, is waited for, or there is no more to do."""
    if run.cascade is None and step.id in run.done:
        turn.tell(run, "skipped", moment, "already_sent", step=step.id)
        return Go(run, plan.following[step.id])
    at = run.cascade or Trying(_order(turn.person, step))
    limit = run.since + plan.durations[step.id]
    while at.left:
        fate = _fate(turn, run, step, at, moment.now, limit)
        if fate is None:
            offered = _offer(turn, replace(run, cascade=at), step, at, moment)
            if offered is None:
                return None
            run, at = offered
            continue
        if fate.until is not None:
            turn.put(replace(run, cascade=at, due_at=fate.until))
            return None
        on = fate.on and len(at.left) > 1
        if fate.rule:
            _tell(turn, replace(run, cascade=at), step, fate.rule, at.left[1] if on else "", moment)
        at = _next(at) if on else replace(at, left=())
    return Go(_over(turn, plan, run, step, at, moment), plan.following[step.id])


def _order(person: Person, step: Cascade) -> tuple[str, ...]:
    """As the document has them, but for the one that he prefers."""
    channels = [one.channel for one in step.cascade]
    wanted = person.preferred[1].strip().lower() if person.preferred and step.preferred_first else ""
    return tuple(sorted(channels, key=lambda channel: channel != wanted))


def _fate(turn: Turn, run: Run, step: Cascade, at: Trying, now: int, limit: int) -> Fate | None:
    """None: the channel at hand is to be decided."""
    if _under_way(turn, run, at):
        return Fate(until=limit + 1) if now <= limit else Fate(rule="expired")
    if "in_doubt" in _stops(step.message_class) and any("in_doubt" in letter.became for letter in _letters(at)):
        return Fate(rule="in_doubt")
    if at.letter is None:
        return None
    words = at.letter.became
    if "accepted" in words:
        return _patience(step, at, words, now, limit)
    rules = {"in_doubt": "in_doubt", "failed": "failed", GIVEN_UP: "not_delivered"}
    return Fate(rule=next((rule for word, rule in rules.items() if word in words), "skipped"), on=True)


def _patience(step: Cascade, at: Trying, words: tuple[str, ...], now: int, limit: int) -> Fate:
    """Of one that the provider took. For the last one nothing is waited for: nothing would follow."""
    if len(at.left) == 1 or now > limit:
        return Fate()
    if "bounced" in words:
        return Fate(rule="bounced", on=True)
    attempt = next(one for one in step.cascade if one.channel == at.left[0])
    waits = {"not_delivered": attempt.delivered_ms if "delivered" not in words else 0, "not_read": attempt.read_ms}
    dues = sorted((at.at + wait, rule) for rule, wait in waits.items() if wait)
    if not dues:
        return Fate()
    due, rule = dues[0]
    return Fate(rule=rule, on=True) if due <= now else Fate(until=min(due, limit + 1))


def _next(at: Trying) -> Trying:
    """With the next channel at hand."""
    letter = at.letter or Letter("")
    return Trying(
        at.left[1:], at.place + 1, behind=(*at.behind, _with(letter, "skipped") if HEARD.isdisjoint(letter.became) else letter)
    )


def _offer(turn: Turn, run: Run, step: Cascade, at: Trying, moment: Moment) -> tuple[Run, Trying] | None:
    """Decide the channel at hand. None: the run stays, until it can be decided."""
    name = f"{step.id}:{at.left[0]}"
    if name in run.done:  # the other one of two people who are one now was sent it
        return run, _next(at)
    run, answer, intent = sending.offer(turn, run, step.over(at.left[0]), moment, name)
    if answer is None:
        return None
    if intent:
        return run, replace(at, letter=Letter(intent), at=moment.now)
    # What is so by one channel may be otherwise by the next; the other gates are about the person or about the message.
    by_channel = answer.rule == "no_address" or (answer.rule == "expired" and answer.detail)
    return run, _next(at) if by_channel else replace(at, left=(), letter=Letter("", ("skipped",)))


def _under_way(turn: Turn, run: Run, at: Trying) -> bool:
    """May a letter of its step still go? Also one of two people who are one now may, of which nothing was heard."""
    return bool(_pending(turn, run)) or any(HEARD.isdisjoint(letter.became) for letter in at.behind)


def _pending(turn: Turn, run: Run) -> list[str]:
    return [key for key, pending in turn.person.pending.items() if pending.step == run.step and pending.of(run)]


def _over(turn: Turn, plan: Plan, run: Run, step: Cascade, at: Trying, moment: Moment) -> Run:
    """Through with it. What has been read by one channel goes by no other any more."""
    letters = _letters(at)
    words = {word for letter in letters for word in letter.became}
    read = not words.isdisjoint(READ)
    if read or not words.isdisjoint(_stops(step.message_class)):
        for key in _pending(turn, run):
            sending.forget(turn, key, moment, "already_read" if read else "already_sent")
    run = replace(run, cascade=None, due_at=None)
    return replace(run, letters={**run.letters, step.id: _whole(letters)}) if step.id in plan.watched else run


def _whole(letters: Sequence[Letter]) -> Letter:
    """One letter of them all: what is good of any, else what became of the last."""
    last = letters[-1] if letters else Letter("", ("skipped",))
    good = {word for letter in letters for word in letter.became if word in GOOD}
    bad = {"skipped" if word == GIVEN_UP else word for word in last.became if word not in GOOD and word != "in_doubt"}
    others = tuple(letter.intent for letter in letters if letter.intent and letter.intent != last.intent)
    kept = good if good and not set(last.became) & GOOD else good | bad
    return Letter(last.intent, tuple(sorted(kept)), others)


def _tell(turn: Turn, run: Run, step: Cascade, rule: str, to: str, moment: Moment) -> None:
    """A channel is left. to: the one that is tried next, "" where none is."""
    at = run.cascade
    assert at is not None
    turn.tell(
        run,
        "fallback",
        moment,
        rule,
        step=step.id,
        intent=at.letter.intent if at.letter else "",
        channel=at.left[0],
        message_class=step.message_class,
        detail={"cascade": at.position, "to": to},
    )


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
        if at.letter is None or at.letter.intent != verdict.intent:
            del turn.person.pending[verdict.intent]
        elif len(at.left) > 1 and _is_over(turn, run, at, verdict.received_at):
            del turn.person.pending[verdict.intent]
            turn.put(replace(run, cascade=replace(at, letter=_with(at.letter, GIVEN_UP))))
        return


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
    return [run for run in turn.person.runs if run.cascade and intent in [letter.intent for letter in _letters(run.cascade)]]


def of_verdict(turn: Turn, verdict: Decision, flew: bool) -> list[Run]:
    """Note what the sender says at last of an intent. flew: it was waited for until now."""
    found = of_intent(turn, verdict.intent)
    word = FINAL.get(verdict.verdict, "")
    again = []
    for run in found:
        at = run.cascade
        assert at is not None
        if _at_hand(run, verdict.intent):
            at = _told(at, verdict, word)
        elif word in _stops(verdict.message_class) and not _has(at, verdict.intent, word):
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
        at = replace(at, letter=_with(at.letter, word), at=verdict.received_at)
    return replace(at, left=()) if verdict.rule == "same_address" else at  # it has got it by another key


def of_fact(turn: Turn, fact: Fact, became: str) -> list[Run]:
    """Note what a reader or a provider tells. Who has read it by one channel is sent it by no other."""
    intent, found = str(fact.properties.get("intent", "")), []
    for run in turn.person.runs if intent else ():
        at = run.cascade
        if at is None:
            continue
        if at.letter and at.letter.intent == intent:
            at = replace(at, letter=_with(at.letter, became))
        elif became in GOOD:
            at = _behind(at, intent, became)
        if at != run.cascade:
            changed = replace(run, cascade=replace(at, left=()) if became in READ else at)
            turn.put(changed)
            found += [changed] if became in READ or _at_hand(changed, intent) else []
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
    at = replace(further, behind=(*further.behind, *(letter for letter in _letters(nearer) if letter.intent)))
    return replace(at, left=()) if _taken(one) and _taken(other) else at  # each has had it: that is enough


def stands(run: Run, step: str) -> bool:
    """Is it in the middle of the cascade of this step?"""
    return run.step == step and run.cascade is not None and bool(run.cascade.left)


def of_runs(turn: Turn, joined: list[Run]) -> list[Run]:
    """Those of them that stand in a cascade."""
    return [run for run in _now(turn, joined) if run.cascade is not None]


def superfluous(turn: Turn, run: Run, keys: list[str]) -> list[str]:
    """Of the intents of two cascades that are one, those that must not be sent again: all that wait to be but the one at hand."""
    return [key for key in keys if turn.person.pending[key].due_at is not None and not _at_hand(run, key)]


def _reached(at: Trying) -> tuple[bool, int, bool]:
    return _taken(at), at.place, at.letter is not None


def _stops(message_class: str) -> tuple[str, ...]:
    """The words on a letter that was left after which no other is sent. A second password mail is better than none; two texts to sell
    something are worse than one that may be lost (law 7).
    """
    return ("accepted",) if message_class == "service" else ("accepted", "in_doubt")


def _taken(at: Trying) -> bool:
    """Has a provider taken it, over any channel?"""
    return any("accepted" in letter.became for letter in _letters(at))


def _letters(at: Trying) -> tuple[Letter, ...]:
    return (*at.behind, at.letter) if at.letter else at.behind


def _at_hand(run: Run, intent: str) -> bool:
    return run.cascade is not None and run.cascade.letter is not None and run.cascade.letter.intent == intent


def _has(at: Trying, intent: str, word: str) -> bool:
    """Has this become of a letter that was left? "": has nothing?"""
    return any(
        word in letter.became if word else HEARD.isdisjoint(letter.became) for letter in at.behind if letter.intent == intent
    )


def _with(letter: Letter, word: str) -> Letter:
    return replace(letter, became=tuple(sorted({*letter.became, word})))


def _behind(at: Trying, intent: str, word: str) -> Trying:
    return replace(at, behind=tuple(_with(letter, word) if letter.intent == intent else letter for letter in at.behind))


def _now(turn: Turn, runs: list[Run]) -> list[Run]:
    """The same runs, as they are by now."""
    keys = {(run.journey, run.occurrence) for run in runs}
    return [run for run in turn.person.runs if (run.journey, run.occurrence) in keys]
