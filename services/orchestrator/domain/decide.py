"""What each kind of news does to a person: pure functions of his state, the news and the published documents.

Before anything received at r is decided, his timers due <= r fire. Times are ms; every function gives an Outcome.
"""

from collections.abc import Collection, Mapping

from schemas.bots import HEARD
from schemas.facts import PROFILE_CHANGED, Fact
from schemas.machines import is_deed
from schemas.memberships import QUIET, Membership
from schemas.messages import Decision
from schemas.steps import LETTER_EVENTS, Until
from schemas.triggers import JOURNEY_START
from services.orchestrator.domain import (
    campaigns,
    dates,
    dialogues,
    loans,
    merging,
    parting,
    purging,
    redeeming,
    rescheduling,
    runs,
    schedules,
    sending,
)
from services.orchestrator.domain.book import Book, Plan
from services.orchestrator.domain.homes import home_of, introduces
from services.orchestrator.domain.mailings import Launched
from services.orchestrator.domain.sooner import look_again
from services.orchestrator.domain.state import Person, Place, Run, replace
from services.orchestrator.domain.steps import cascade_news, letters, waiting
from services.orchestrator.domain.turn import Moment, Outcome, Turn

ZONE = ("time_zone", "timezone")  # attributes that name his zone and his language
LANGUAGE = ("language", "locale")
PREFERRED = ("preferred_channel",)  # the channel of a cascade that is tried first


def concerns(fact: Fact) -> bool:
    """Does a fact say anything that is kept or decided about here? A `profile.changed` may not, and what a machine did with a letter is no
    word of the person's.
    """
    if fact.type != PROFILE_CHANGED:
        return is_deed(fact.event, fact.properties)
    return bool(fact.identifiers) or introduces(fact) or any(name in fact.attributes for name in (*ZONE, *LANGUAGE, *PREFERRED))


def on_fact(book: Book, profile: str, person: Person, fact: Fact, place: Place | None) -> Outcome:
    """place: where the fact lies while the segmenter has not passed it; None when it has, so that its answers are current."""
    turn, now = Turn(book, profile, person), fact.received_at
    moment = Moment(now, fact.id, place)
    runs.fire(turn, now)
    if fact.type == PROFILE_CHANGED:
        turn.person.introduced = turn.person.introduced or introduces(fact)
        before, days = turn.person.zone, dates.to_come(turn)
        _learn(turn.person, fact)
        if turn.person.zone != before:
            _moved(turn, days, now)
        runs.named(turn, moment)
        runs.release(turn, moment)
        return _done(turn, moment)
    _reached_by(turn.person, fact)
    runs.named(turn, moment)
    event = fact.event or fact.type
    purging.learn(turn.person, fact, event)
    if event in LETTER_EVENTS:
        runs.moved(turn, cascade_news.of_fact(turn, fact, LETTER_EVENTS[event]), moment)
        runs.moved(turn, letters.of_fact(turn, fact, LETTER_EVENTS[event]), moment, (Until,))
    rescheduling.follow(turn, fact, moment)
    for plan, step, test in book.awaits.get(event, ()):
        if plan.brand == fact.brand and test(fact.properties):
            runs.let_go(turn, plan, step, waiting.hear(turn, plan, step, fact), moment)
    for plan in book.goals.get(event, ()):
        if plan.brand == fact.brand and plan.is_goal(fact.properties):
            _reach_goal(turn, plan, fact, moment)
    # The second lane brings history: an import of old registrations is no reason to welcome anybody. And what the API alone can say is a
    # type of facts: an event of that name is none.
    for plan in book.triggers.get(event, ()) if fact.lane == "live" and fact.event != JOURNEY_START else ():
        if plan.brand == fact.brand and plan.matches(fact.properties):
            run = Run(plan.key, plan.version, fact.id, plan.brand, fact.occurred_at, now, home=home_of(fact))
            runs.start(turn, plan, replace(run, data={"event": fact.properties}), moment)
    if event in HEARD and fact.lane == "live":
        dialogues.hear(turn, fact, moment)
    redeeming.redeem(turn, fact, moment)
    return _done(turn, moment)


def on_membership(book: Book, profile: str, person: Person, news: Membership) -> Outcome:
    """Where he stands now, which ends runs and starts others. Entering on a membership waits for nothing.

    What was told of a profile that has been merged into him meanwhile says nothing of where he stands: the segmenter speaks of him.
    """
    turn, now, moment = Turn(book, profile, person), news.received_at, Moment(news.received_at, news.id)
    runs.fire(turn, now)
    if news.profile == profile and news.type == "entered":
        turn.person.segments[news.segment] = news.at
    elif news.profile == profile:
        turn.person.segments.pop(news.segment, None)
    if news.profile == profile:
        schedules.heard(turn, news)
    if news.type == "left" and not turn.stands(news.segment):
        _leave(turn, news.segment, moment)
    if news.type == "entered":
        for plan in book.waiting.get(news.segment, ()):
            runs.moved(turn, [run for run in _inside(turn, plan) if plan.answers.get(run.step) == news.segment], moment)
    if news.why not in QUIET or (news.why == "merge" and news.type == "entered" and not news.carried):
        for plan in book.entering.get((news.segment, news.type), ()):
            run = Run(plan.key, plan.version, news.id, plan.brand, news.at, now)
            dates.begin(turn, plan, run, moment)
    return _done(turn, moment)


def _leave(turn: Turn, segment: str, moment: Moment) -> None:
    """Runs that leaving it ends, and those that had not begun yet on a day which is his no more."""
    for plan in turn.book.exits.get(segment, ()):
        for run in _inside(turn, plan):
            runs.end(turn, run, moment, "left", "exit_segment")
    for run in [
        run for run in turn.person.runs if not run.step and run.started_at > moment.now and dates.is_of(turn, run, segment)
    ]:
        runs.end(turn, run, moment, "left", "date_changed")


def on_verdict(book: Book, profile: str, person: Person, verdict: Decision) -> Outcome:
    """What became of an intent. Verdicts that come twice, late or for an attempt long decided again change nothing."""
    turn = Turn(book, profile, person)
    runs.fire(turn, verdict.received_at)
    flew, before = verdict.intent in turn.person.pending, list(turn.person.reservations)
    cascade_news.give_up(turn, verdict)
    sending.settle(turn, verdict)
    loans.hear(turn, verdict)
    moment = Moment(verdict.received_at, verdict.id)
    runs.moved(turn, cascade_news.of_verdict(turn, verdict, flew), moment)
    runs.release(turn, moment)
    runs.moved(turn, letters.of_verdict(turn, verdict), moment, (Until,))
    if turn.person.reservations != before:  # when all that this word lets go has taken its place
        look_again(turn, verdict.received_at)
    return _done(turn, moment)


def on_mark(book: Book, profile: str, person: Person, passed: dict[tuple[str, int], int], mark: Membership) -> Outcome:
    """The segmenter has come this far. passed: (topic, partition) -> next offset, this mark included."""
    turn = Turn(book, profile, person)
    turn.person.merges = [place for place in person.merges if not runs.below(passed, place)]
    runs.fire(turn, mark.received_at)
    moment = Moment(mark.received_at, mark.id)
    runs.resume(turn, passed, moment)
    return _done(turn, moment)


def on_timer(book: Book, profile: str, person: Person, now: int) -> Outcome:
    """Everything due <= now fires, each with its own instant."""
    turn = Turn(book, profile, person)
    runs.fire(turn, now)
    return _done(turn, Moment(now, ""))


def on_launch(book: Book, profile: str, person: Person, launched: Launched, now: int) -> Outcome:
    """His turn in a launch: decided for the first time, or again, as what held it back is over or it was stopped."""
    turn = Turn(book, profile, person)
    runs.fire(turn, now)
    moment = Moment(now, launched.id)
    if (run := campaigns.take(turn, launched, moment)) is not None:
        runs.go_on(turn, run, moment)
    return _done(turn, moment)


def on_merged(book: Book, winner: tuple[str, Person], loser: tuple[str, Person], fact: Fact, place: Place | None = None) -> Outcome:
    """The winner's state with the loser's in it. What was due before happened to two people, each with his own rules.

    place: where the fact lies while the segmenter has not passed it.
    """
    before = on_timer(book, *loser, fact.received_at)
    turn = Turn(book, *winner)
    turn.follow(before)
    runs.fire(turn, fact.received_at)
    for emission in before.emits:
        turn.emit(emission)
    moment = Moment(fact.received_at, fact.id)
    days = dates.to_come(Turn(book, loser[0], before.person)) | dates.to_come(turn)
    joined = merging.fold(turn, before.person, moment)
    runs.release(turn, moment)
    if place is not None:
        turn.person.merges.append(place)
    _learn(turn.person, fact)
    _moved(turn, days, fact.received_at)
    runs.named(turn, moment)
    runs.moved(turn, cascade_news.of_runs(turn, joined), moment)
    return _done(turn, moment)


def on_split(
    book: Book, profile: str, person: Person, fact: Fact, parts: Mapping[str, Collection[str]]
) -> tuple[Outcome, dict[str, Person]]:
    """Somebody without those who were taken for him, and what of his is theirs (for `on_parted`). parts: who -> his homes.

    What was due before happened to the one whom they were. The fact tells all that is left to him; where he has become one with another
    meanwhile the other's stays beside it.
    """
    turn = Turn(book, profile, person)
    runs.fire(turn, fact.received_at)
    taken = parting.leave(profile, turn.person, parts)
    if profile == fact.profile:
        days = dates.to_come(turn)
        turn.person.zone = turn.person.language = turn.person.preferred = turn.person.bucketing = None
        turn.person.reach = []
        _learn(turn.person, fact)
        _moved(turn, days, fact.received_at)
    moment = Moment(fact.received_at, fact.id)
    runs.release(turn, moment)
    return _done(turn, moment), taken


def on_parted(book: Book, profile: str, person: Person, taken: Person, fact: Fact, place: Place | None) -> Outcome:
    """He who was taken for another until now, with what is his of it. What he has done by himself before this is heard is kept, as in a
    merge: the same rules say which of two runs goes on.

    Segments are not taken over: the segmenter tells in which he stands, and until it has passed the fact, which lies at `place`, runs
    that ask wait.
    """
    turn = Turn(book, profile, person)
    runs.fire(turn, fact.received_at)
    moment = Moment(fact.received_at, fact.id)
    if place is not None:
        turn.person.merges.append(place)
    joined = merging.fold(turn, taken, moment)
    runs.named(turn, moment)
    runs.release(turn, moment)
    runs.moved(turn, cascade_news.of_runs(turn, joined), moment)
    return _done(turn, moment)


def _done(turn: Turn, moment: Moment) -> Outcome:
    """When all is decided it shows which promo codes go back."""
    loans.settle(turn, moment)
    return turn.outcome()


def _moved(turn: Turn, days: dates.Days, now: int) -> None:
    """His zone is another one, or may be: what is to come on a day of his comes at its time there."""
    schedules.moved(turn)
    dates.moved(turn, days, now)


def _learn(person: Person, fact: Fact) -> None:
    """Attributes of profile's own facts are name -> [occurred_at, value]."""
    person.zone = max(filter(None, (person.zone, *(_text(fact, name) for name in ZONE))), default=None)
    person.language = max(filter(None, (person.language, *(_text(fact, name) for name in LANGUAGE))), default=None)
    person.preferred = max(filter(None, (person.preferred, *(_text(fact, name) for name in PREFERRED))), default=None)
    _reached_by(person, fact)


def _reached_by(person: Person, fact: Fact) -> None:
    """Where he can be reached and which group he is in, from whatever fact says so first: a registration brings its own address."""
    kinds = {identifier.partition(":")[0] for identifier in fact.identifiers}
    if not kinds <= set(person.reach):
        person.reach = sorted({*person.reach, *kinds})
    if fact.bucketing_id is not None and fact.bucketed_at is not None:
        pair = (fact.bucketed_at, fact.bucketing_id)
        person.bucketing = min(pair, person.bucketing or pair)


def _text(fact: Fact, name: str) -> tuple[int, str] | None:
    """None as a value means that it was taken back: an empty text, newer than what was."""
    found = fact.attributes.get(name)
    if not isinstance(found, list | tuple) or len(found) != 2:
        return None
    at, value = found
    return (at, value if isinstance(value, str) else "")


def _inside(turn: Turn, plan: Plan) -> list[Run]:
    return [run for run in turn.person.runs if (run.journey, run.version) == (plan.key, plan.version)]


def _reach_goal(turn: Turn, plan: Plan, fact: Fact, moment: Moment) -> None:
    """A goal counts for every run whose trigger it follows, whatever came here first."""
    goals, at = turn.person.goals, fact.occurred_at
    if turn.book.current.get(plan.key) is plan:
        goals[plan.key] = max(at, goals.get(plan.key, 0))
    for run in _inside(turn, plan):
        if at >= run.trigger_at:
            runs.end(turn, run, moment, "goal", "goal")
    for key, pending in list(turn.person.pending.items()):
        run = pending.run
        if (run.journey, run.version) == (plan.key, plan.version) and at >= run.trigger_at:
            sending.forget(turn, key, moment, "goal")
