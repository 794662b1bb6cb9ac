"""One message to one person: the gates in their order, the slot, the reservation, the intent, and what comes back from the sender."""

from itertools import chain
from typing import Any, Literal, NamedTuple

from schemas.documents import duration_ms
from schemas.ids import bucket
from schemas.messages import FREES, KEEPS, Decision, Intent, intent_id
from schemas.steps import Send, Sends
from schemas.telling import Hand, Told
from services.orchestrator.domain import pausing
from services.orchestrator.domain.competing import Contender, launches_ask, reachable, yields
from services.orchestrator.domain.local_control import exposed, may_expose
from services.orchestrator.domain.mailings import STOPPED
from services.orchestrator.domain.rules import PRIORITY
from services.orchestrator.domain.slots import end_of, hoped, search
from services.orchestrator.domain.sooner import letter_of, message_of, rules_of
from services.orchestrator.domain.state import DOUBT, KEPT, OPEN, Mailed, Pending, Place, Reservation, Run, replace
from services.orchestrator.domain.steps import letters
from services.orchestrator.domain.steps.way import unheard
from services.orchestrator.domain.turn import Moment, Turn
from services.orchestrator.domain.zones import DAY

ORDER = "order"  # the rule that holds a send until an earlier one of its run is final
PARTED = "parted"  # the rule that holds one until it is known how somebody can be reached who was taken for another
HOLDS = (ORDER, PARTED)
HANDOFF = "handoff"  # the rule by which a manager is told of somebody


class Answer(NamedTuple):
    """until: of a deferred one, the instant to decide again (ms), at the latest; of a sent one, the end of its slot."""

    verdict: Literal["sent", "skipped", "deferred", "would_have_sent"]
    rule: str = ""
    until: int | None = None
    detail: str = ""


class Offer(NamedTuple):
    """run: as it is afterwards; answer: None where it stays on the step; intent: of what was sent."""

    run: Run
    answer: Answer | None = None
    intent: str = ""


def first(turn: Turn, run: Run, step: Sends, moment: Moment) -> tuple[Run, bool]:
    """The send step of a run, when it gets there or when its deferral is over. False: it stays on the step."""
    # A loop, or a merged run had sent it (or who he was before got this mailing): one key is one message, for ever.
    if step.id in run.done or run.occurrence in turn.person.campaigns:
        turn.tell(run, "skipped", moment, "already_sent", step=step.id)
        return run, True
    run, answer, intent = offer(turn, run, step, moment, step.id)
    if answer is not None and (plan := turn.plan(run)) is not None and step.id in plan.watched:
        run = letters.issued(run, step.id, intent) if intent else letters.skipped(run, step.id)
    return run, answer is not None


def offer(turn: Turn, run: Run, step: Sends, moment: Moment, name: str) -> Offer:
    """Decide a letter, and send it if it may go now. name: of the letter in its key, by which it is sent once at most."""
    if step.message_class != "service" and (place := _unasked(turn, run, step, moment)) is not None:
        turn.put(replace(run, waits=place, due_at=None))  # the mark wakes it
        return Offer(run)
    in_time = moment.now <= run.since + duration_ms(step.expires)
    if (step.message_class != "service" or run.mailed) and in_time and may_expose(turn, run) and _barred(turn, step) is None:
        run = exposed(turn, run, step.id, moment)
    answer = _decide(turn, run, step, run.since, moment.now)
    if answer.verdict == "sent" and answer.until is not None:
        key = intent_id(run.document, run.version, name, turn.profile, run.occurrence)
        run = replace(run, done=tuple(dict.fromkeys([*run.done, step.id, name])))
        _issue(turn, key, Pending(replace(run, due_at=None, waits=None), step.id, run.since, until=answer.until), step, moment)
        return Offer(run, answer, key)
    _tell(turn, run, step, answer, moment, 0)
    if answer.verdict == "deferred":
        turn.put(replace(run, due_at=answer.until, held=answer.rule in HOLDS))
        return Offer(run)
    return Offer(run, answer)


def _unasked(turn: Turn, run: Run, step: Sends, moment: Moment) -> Place | None:
    """What the segmenter must have passed before the rules can be asked about him, and whether a launch that is near is for him."""
    asked = chain(turn.book.rules.asks, launches_ask(turn, run, step.id, moment.now))
    return next((place for key in asked if (place := unheard(turn, moment, key)) is not None), None)


def again(turn: Turn, key: str, pending: Pending, moment: Moment) -> None:
    """Decide an intent anew that came back late or was held, under its own key."""
    if pausing.parks_letter(turn, key, pending):
        return
    pending = replace(pending, due_at=None, held=False)
    step = letter_of(turn, pending.run, pending.step)
    if step is None:
        del turn.person.pending[key]
        turn.tell(pending.run, "skipped", moment, "no_version", step=pending.step, intent=key, attempt=pending.attempt)
        return
    answer = _decide(turn, pending.run, step, pending.first_try, moment.now)
    if answer.verdict == "sent" and answer.until is not None:
        _issue(turn, key, replace(pending, until=answer.until), step, moment)
        return
    _tell(turn, pending.run, step, answer, moment, pending.attempt, key)
    if answer.verdict == "deferred":
        turn.person.pending[key] = replace(pending, due_at=answer.until, held=answer.rule in HOLDS)
    else:
        del turn.person.pending[key]


def settle(turn: Turn, verdict: Decision) -> None:
    """Take in what the sender says of an intent. A verdict about an earlier attempt changes nothing, save that a sent one is sent."""
    if verdict.verdict in KEEPS:
        _keep(turn, verdict)
    elif verdict.verdict in FREES:
        _free(turn, verdict)


def cancel(turn: Turn, run: Run, moment: Moment, rule: str) -> None:
    """The run is over: what it sent and came back late goes no more. What the sender has under way cannot be called back."""
    for key, pending in list(turn.person.pending.items()):
        if pending.of(run):
            forget(turn, key, moment, rule)


def forget(turn: Turn, key: str, moment: Moment, rule: str) -> None:
    """Never decide this intent again; said aloud when it was waiting to be."""
    pending = turn.person.pending.pop(key)
    if pending.due_at is not None or pending.parked:
        turn.tell(pending.run, "skipped", moment, rule, step=pending.step, intent=key, attempt=pending.attempt)


def overdue(turn: Turn, run: Run, now: int) -> str:
    """The step of the earliest letter that a send of this run must let go first, "" if there is none: so letters keep their order.

    That is one which missed its slot: it came back late or held and is not final since, or its slot is over and nothing was heard of
    it (the sender stands still). One that the sender has within its first slot holds nothing: the sender takes both in their order, and a
    mail server that is down shall not keep the text message back that stands in for it. A final word on it ends the hold, and so
    does the held one's own `expires`, so that a word that never comes stops no run for ever. Service messages wait for nobody, and nobody
    for what is told to others.
    """
    earlier = [p for p in turn.person.pending.values() if p.of(run) and p.run.taken < run.taken]
    missed = [
        (p.run.taken, p.step)
        for p in earlier
        if (p.attempt or p.until < now) and not isinstance(letter_of(turn, p.run, p.step), Told)
    ]
    return min(missed, default=(0, ""))[1]


def _decide(turn: Turn, run: Run, step: Sends, first_try: int, now: int) -> Answer:
    """Known, reachable, not in a control group, its turn in the run, a slot within `expires`, and nothing more important: in this order."""
    limit = first_try + duration_ms(step.expires)
    if (shut := _shut(turn, run, now, limit)) is not None:
        return shut
    marketing = step.message_class != "service"
    if turn.person.awaited and now <= limit:
        return Answer("deferred", PARTED, limit + 1)
    if barred := _barred(turn, step):
        return barred
    if marketing and run.control:
        return Answer("would_have_sent", "local_control", detail=run.control)
    if now > limit:
        return Answer("skipped", "expired")
    if not marketing:
        return Answer("sent", until=min(now + DAY, limit) if isinstance(step, Told) else now + DAY)
    if before := overdue(turn, run, now):
        return Answer("deferred", ORDER, limit + 1, before)
    rules, message = rules_of(turn, run, step), message_of(run, step)
    zone, taken = turn.zone(run.brand), turn.person.reservations
    slot = search(rules, zone, taken, message, now, limit)
    if slot.at > limit:
        asked = hoped(rules, zone, taken, message, now, limit)
        return Answer("deferred", slot.rule, asked, slot.detail) if asked else Answer("skipped", "expired", detail=slot.rule)
    if slot.at > now:
        return Answer("deferred", slot.rule, slot.at, slot.detail)
    until = yields(turn, rules, Contender(run, step.id, message, first_try, limit), now)
    if until is not None and until > limit:
        return Answer("skipped", "expired", detail=PRIORITY)
    if until is not None:
        return Answer("deferred", PRIORITY, until)
    return Answer("sent", until=end_of(rules, zone, message, now))


def _barred(turn: Turn, step: Sends) -> Answer | None:
    """Why he gets nothing of this kind, whatever the journey: cannot be reached, is a manager's, or is of the global control group."""
    person, rules = turn.person, turn.book.rules
    marketing = step.message_class != "service"
    if (isinstance(step, Send) and not reachable(person, step.channel)) or (marketing and person.bucketing is None):
        return Answer("skipped", "no_address")
    if marketing and any(turn.stands(key) for key in rules.managers):
        return Answer("skipped", "manager_only")
    if marketing and person.bucketing and any(bucket(salt, person.bucketing[1]) < share for share, salt in rules.controls):
        return Answer("would_have_sent", "global_control")
    return None


def _shut(turn: Turn, run: Run, now: int, limit: int) -> Answer | None:
    """Of a mailing: it is stopped or paused, or who he was before has got it."""
    gate, mailed = turn.book.gate(run), turn.person.campaigns.get(run.occurrence)
    if gate == STOPPED:
        return Answer("skipped", STOPPED)
    if mailed is not None and mailed.went:
        return Answer("skipped", "already_sent")
    return Answer("deferred", gate, limit + 1) if gate and now <= limit else None


def _issue(turn: Turn, key: str, pending: Pending, step: Sends, moment: Moment) -> None:
    """pending: with the end of its slot."""
    run, now, person, not_after = pending.run, moment.now, turn.person, pending.until
    zone = turn.zone(run.brand)
    day = zone.day(now)
    if step.message_class != "service":
        kept = [r for r in person.reservations if max(r.at, r.until) > now - turn.book.rules.keep]
        made = Reservation(
            key,
            pending.attempt,
            step.message_class,
            run.brand,
            now,
            not_after,
            channel=step.channel,
            topic=step.topic,
            cascade=run.tried,
        )
        person.reservations = [*kept, made]
    person.pending[key] = pending
    if run.mailed:
        still = {launch: mailed for launch, mailed in person.campaigns.items() if mailed.until >= now}
        person.campaigns = {**still, run.occurrence: Mailed(max(now, pending.first_try) + duration_ms(step.expires))}
    turn.emit(
        Intent(
            id=key,
            brand=run.brand,
            profile=turn.profile,
            channel=step.channel,
            message_class=step.message_class,
            template=step.template,
            template_version=0 if step.channel == "webhook" else turn.book.templates.get(step.template, 0),
            document=run.document,
            version=run.version,
            step=step.id,
            occurrence=run.occurrence,
            not_after=not_after,
            received_at=now,
            topic=step.topic,
            attempt=pending.attempt,
            data={**run.data, "run": _about(turn, run, zone.name)},
            cause=moment.cause,
            cascade=run.tried,
            to="manager" if isinstance(step, Hand) else "",
        )
    )
    answer = Answer("sent", HANDOFF if isinstance(step, Hand) else "")
    _tell(turn, run, step, answer, moment, pending.attempt, key, slot=[now, not_after], day=day)


def _about(turn: Turn, run: Run, zone: str) -> dict[str, Any]:
    """What a template may know of the run."""
    language = {"language": turn.person.language[1]} if turn.person.language else {}
    return {"started_at": run.started_at, "time_zone": zone, **language}


def _tell(turn: Turn, run: Run, step: Sends, answer: Answer, moment: Moment, attempt: int, key: str = "", **detail: Any) -> None:
    if answer.detail:
        detail["of"] = answer.detail
    if run.cascade is not None:
        detail["cascade"] = run.cascade.position
    if run.mailed:
        detail |= run.data["campaign"]
    turn.tell(
        run,
        answer.verdict,
        moment,
        answer.rule,
        step=step.id,
        intent=key,
        attempt=attempt,
        channel=step.channel,
        message_class=step.message_class,
        until=answer.until,
        detail=detail,
    )


def _keep(turn: Turn, verdict: Decision) -> None:
    person, key = turn.person, verdict.intent
    held = person.pending.pop(key, None)
    if (mailed := person.campaigns.get(verdict.occurrence)) is not None:
        person.campaigns[verdict.occurrence] = mailed._replace(went=True)
    for twin in _twins(turn, held) if held and held.run.cascade is None else ():  # a cascade waits for all that may go
        forget(turn, twin, Moment(verdict.received_at, verdict.id), "merged")
    state = DOUBT if verdict.verdict == "in_doubt" else KEPT
    found = _reserved(turn, key)
    if found is None:
        # It was given back as late or held and went all the same: it is counted, on the day on which it went.
        step = letter_of(turn, held.run, held.step) if held else None
        if held and step and step.message_class != "service":
            at = verdict.received_at
            made = Reservation(
                key,
                verdict.attempt,
                step.message_class,
                held.run.brand,
                at,
                at,
                state=state,
                channel=step.channel,
                topic=step.topic,
                cascade=held.run.tried,
            )
            person.reservations.append(made)
        return
    if found.state == OPEN:
        went = max(found.at, min(verdict.received_at, found.until))
        _swap(turn, found, replace(found, at=went, until=went, state=state))
    else:
        _swap(turn, found, replace(found, state=max(found.state, state)))


def _free(turn: Turn, verdict: Decision) -> None:
    person, key = turn.person, verdict.intent
    found = _reserved(turn, key)
    final = verdict.verdict in {"skipped", "failed"}
    if found and found.attempt == verdict.attempt and (found.state == OPEN or (found.state == DOUBT and final)):
        person.reservations.remove(found)
    pending = person.pending.get(key)
    if pending is None or pending.attempt != verdict.attempt or pending.due_at is not None:
        return
    moment = Moment(verdict.received_at, verdict.id)
    if final:
        del person.pending[key]
    elif (verdict.verdict == "late" or verdict.gate) and len(_twins(turn, pending)) > 1:
        del person.pending[key]
        turn.tell(pending.run, "skipped", moment, "merged", step=pending.step, intent=key, attempt=pending.attempt)
    elif verdict.verdict == "late":
        again(turn, key, replace(pending, attempt=pending.attempt + 1), moment)
    elif verdict.gate:
        pausing.holds(turn, key, pending, verdict.gate)
    else:
        person.pending[key] = replace(pending, until=0)  # held: the slot was given back


def _twins(turn: Turn, pending: Pending) -> list[str]:
    """The intents of this letter: two people who are one now may have been sent it by two keys."""
    run = replace(pending.run, occurrence=pending.joined or pending.run.occurrence)
    return [key for key, other in turn.person.pending.items() if other.step == pending.step and other.of(run)]


def _reserved(turn: Turn, key: str) -> Reservation | None:
    return next((r for r in turn.person.reservations if r.intent == key), None)


def _swap(turn: Turn, old: Reservation, new: Reservation) -> None:
    reservations = turn.person.reservations
    reservations[reservations.index(old)] = new
