"""A message over the first channel that reaches him: one intent after the other, never the next while the one before may still go.

The run stays on the step. Whatever is heard of a letter of it is noted (cascade_news.py); `act` looks at what is noted, and at nothing
else, so it may be called at any time, in whatever order things are heard.
"""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.steps import Cascade
from services.orchestrator.domain import sending
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Letter, Person, Run, Trying, replace
from services.orchestrator.domain.steps.cascade_news import GIVEN_UP, GOOD, HEARD, READ, stops
from services.orchestrator.domain.steps.way import Go
from services.orchestrator.domain.turn import Moment, Turn


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
    if "in_doubt" in stops(step.message_class) and any("in_doubt" in letter.became for letter in at.letters):
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
        at.left[1:], at.place + 1, behind=(*at.behind, letter.told("skipped") if HEARD.isdisjoint(letter.became) else letter)
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
    letters = at.letters
    words = {word for letter in letters for word in letter.became}
    read = not words.isdisjoint(READ)
    if read or not words.isdisjoint(stops(step.message_class)):
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
