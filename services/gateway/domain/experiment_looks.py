"""When an experiment is looked at: which look is the last that is over, and which comes next. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.attributes import date_ms
from schemas.experiment_documents import Experiment

DAY_MS = 86_400_000


class Look(NamedTuple):
    """until: exposures before; at: by what was known then (ms); before: people at earlier looks; final: no further one comes; short: because
    it ended before its size.
    """

    until: int
    at: int
    before: tuple[int, ...] = ()
    final: bool = False
    short: bool = False


def marks(document: Experiment) -> list[int]:
    """At how many people there is a look."""
    if document.size is None or document.rule == "open":
        return []
    return sorted({-int(-document.size * part // 1) for part in document.parts})


def end_of(document: Experiment, since: int, stopped_at: int | None) -> int | None:
    """From when on (ms) who is exposed does not count: it was stopped, `ends` has come, or its `days` are over, whichever is first."""
    days = None if document.days is None else since + document.days * DAY_MS
    return min((at for at in (stopped_at, date_ms(document.ends), days) if at is not None), default=None)


def last(document: Experiment, until: int | None, period: Mapping[str, Any], now: int) -> Look | None:
    """The last look that is over. It waits until everybody in it has had the window of the primary measure.

    until: its end; period: the one that is judged, whose `reached` has the instant of each mark. What ended before its size is looked at once
    more, by whom it has.
    """
    window, at_marks = document.primary.target.window, marks(document)
    reached = zip(at_marks, period["reached"], strict=True)
    over = [(mark, at) for mark, at in reached if at is not None and at + window <= now]
    whole = bool(over) and over[-1][0] == at_marks[-1]
    if not whole and until is not None and until + window <= now:
        return Look(until, until + window, tuple(mark for mark, _ in over), final=True, short=document.size is not None)
    if not over:
        return None
    return Look(over[-1][1] + 1, over[-1][1] + window, tuple(mark for mark, _ in over[:-1]), final=whole)


def following(document: Experiment, until: int | None, period: Mapping[str, Any], now: int) -> dict[str, int | None]:
    """The next look: at how many people of the period, and when. people None: at those who are there by then; at None: nobody knows yet."""
    window = document.primary.target.window
    found: dict[str, int | None] = {"people": None, "at": None if until is None else until + window, "window_ms": window}
    for mark, at in zip(marks(document), period["reached"], strict=True):
        if at is None:
            return {**found, "people": mark} if until is None or until > now else found
        if at + window > now:
            return {**found, "people": mark, "at": at + window}
    return found


def people_of(arms: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(arm["people"] for arm in arms.values())


def planned(document: Experiment, people: int, *, final: bool) -> int | None:
    """The plan's number of people. What ended short of it had no more: the look at them takes all that is left of alpha."""
    return people if final and document.size is not None and people < document.size else document.size


def earlier(before: Sequence[int], people: int) -> list[int]:
    """Looks at fewer people than this one: at as many, this one takes their place."""
    return [mark for mark in before if mark < people]
