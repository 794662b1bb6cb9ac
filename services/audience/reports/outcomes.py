"""What became of messages, and what people did after them, beside those who got none (docs/reports.md)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pyroaring import BitMap

from schemas.audience_reading import Fault
from schemas.reports import PERIODS, Group, Outcomes
from schemas.zones import zone
from services.audience.handler.answering import Refused
from services.audience.reports import outcomes_messages as messages
from services.audience.reports.outcomes_folding import BOUNCES, Counted, Folded, fold, fold_credits
from services.audience.reports.outcomes_messages import (
    ACCEPTED,
    BIT,
    FAILED,
    FLAGS,
    GLOBAL,
    IN_DOUBT,
    LOCAL,
    OF_LETTER,
    Key,
    Span,
    Units,
    only,
)
from services.audience.reports.outcomes_target import Credits, follow
from services.audience.reports.target import MixedCurrencies
from services.audience.store.answers import View

EVER = 2**53
MOST_ROWS = 10_000
WITHOUT: tuple[Group, ...] = ("variant", "template")  # of these a control group has none: it stands beside each of them


class Found(NamedTuple):
    """What was counted, by group and part; None as the group: all of them together. labels: of the groups' letters."""

    messages: Folded
    credits: Folded
    labels: Sequence[tuple[Any, ...]]
    currency: str | None


def report(view: View, asked: Outcomes, members: BitMap | None) -> dict[str, Any]:
    """The answer, as JSON values. members: only these people. Raises Refused where currencies are mixed, or rows too many."""
    now = _found(view, asked, Span(asked.since or 0, asked.until or EVER), members)
    told = {"by": list(asked.by), "currency": now.currency, "rows": _rows(asked, now), "total": _figures(now, None, asked)}
    if asked.compared is None:
        return told
    before = _found(view, asked, Span(*asked.compared), members)
    return {**told, "before": {"currency": before.currency, "rows": _rows(asked, before), "total": _figures(before, None, asked)}}


def gather(view: View, asked: Outcomes, span: Span, members: BitMap | None) -> tuple[Units, Credits | None, str | None]:
    """All of which figures are: messages, and the deeds that are credited to them with the currency of their amounts. Raises Refused."""
    beyond = 0 if asked.target is None else asked.beyond
    units = messages.gather(view, asked, Span(span.since, span.until + beyond), members)
    if asked.target is None:
        return units, None, None
    try:
        found = follow(view, units, asked.target, asked.brands)
    except MixedCurrencies as error:
        raise Refused([error.fault("target")]) from error
    units = units._replace(became=units.became | found.converted * np.uint16(BIT["converted"]))
    if not beyond:
        return units, found.credits, found.currency
    mine = units.moment < span.until
    return only(units, mine), found.credits.among(mine), found.currency


def _found(view: View, asked: Outcomes, span: Span, members: BitMap | None) -> Found:
    units, deeds, currency = gather(view, asked, span, members)
    if len(units.keys) > MOST_ROWS:
        raise Refused(
            [Fault(path="by", code="rows", message=f"more than {MOST_ROWS} rows: ask for less", params={"limit": MOST_ROWS})]
        )
    return Found(fold(units), {} if deeds is None else fold_credits(units, deeds), units.labels, currency)


def _rows(asked: Outcomes, found: Found) -> list[dict[str, Any]]:
    if not asked.by:
        return []
    shown = {key for key, part in found.messages if key is not None and (part not in (LOCAL, GLOBAL) or not _apart(asked))}
    rows = [(labels(asked, found.labels, key), key) for key in shown]
    return [{**dict(zip(asked.by, told, strict=True)), **_figures(found, key, asked)} for told, key in sorted(rows, key=_order)]


def _order(row: tuple[tuple[Any, ...], Key]) -> list[tuple[bool, Any]]:
    return [(isinstance(one, str), one) for one in row[0]]


def _apart(asked: Outcomes) -> bool:
    return not set(WITHOUT).isdisjoint(asked.by)


def labels(asked: Outcomes, letters: Sequence[tuple[Any, ...]], key: Key) -> tuple[Any, ...]:
    """What a row is of, in the order of `by`. letters: labels of Units. Periods are called by their first day (ISO)."""
    letter = iter(letters[key.letter])
    named: dict[str, Any] = {one: next(letter) for one in asked.by if one in OF_LETTER}
    return tuple(_label(one, named, key, asked.zone) for one in asked.by)


def _label(one: Group, named: Mapping[str, Any], key: Key, name: str) -> Any:
    if one in PERIODS:
        return str(zone(name).date(key.start))
    return key.variant if one == "variant" else key.template if one == "template" else named[one]


def _figures(found: Found, key: Key | None, asked: Outcomes) -> dict[str, Any]:
    """All figures of a row, or (without key) of the whole."""
    ours = found.messages.get((key, ACCEPTED), {})
    failed, doubt = found.messages.get((key, FAILED), {}), found.messages.get((key, IN_DOUBT), {})
    told: dict[str, Any] = {"sent": _pair(ours, "messages", "people")}
    told |= {one: _pair(ours, one, f"{one}_people") for one in FLAGS}
    told["bounced"] = _pair(found.messages.get((key, BOUNCES), {}), "messages", "people")
    told |= {"failed": _pair(failed, "messages", "people"), "in_doubt": _pair(doubt, "messages", "people")}
    if asked.target is not None:
        told |= _deeds(ours, found.credits.get((key, ACCEPTED), {}), found.currency)
    beside = key if key is None or not _apart(asked) else key._replace(variant="", template="")
    told["control"] = dict(_control(found, beside, asked))
    return {**told, "rates": _rates(told)}


def _pair(counted: Counted, messages_: str, people: str) -> dict[str, int]:
    return {"messages": counted.get(messages_, 0), "people": counted.get(people, 0)}


def _control(found: Found, key: Key | None, asked: Outcomes) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in (("local", LOCAL), ("global", GLOBAL)):
        counted = found.messages.get((key, part), {})
        told: dict[str, Any] = {"would_have_sent": _pair(counted, "messages", "people")}
        if asked.target is not None:
            told |= _deeds(counted, found.credits.get((key, part), {}), found.currency)
            told["rates"] = _rates({"sent": told["would_have_sent"], **told})
        yield name, told


def _deeds(counted: Counted, deeds: Counted, currency: str | None) -> dict[str, Any]:
    return {
        "converted": {"people": counted.get("converted_people", 0)},
        "credited": {"actions": deeds.get("actions", 0), "people": deeds.get("people", 0)},
        "revenue": {"minor": deeds.get("amount", 0), "currency": currency, "negative": deeds.get("negative", 0)},
    }


def _rates(told: Mapping[str, Any]) -> dict[str, float | None]:
    """Shares of messages, and of people for what people do; null where nothing is divided by. Minor units per recipient and per action."""
    people = told["sent"]["people"]
    found: dict[str, float | None] = {}
    if "opened" in told:
        sent, opened = told["sent"]["messages"], told["opened"]["messages"]
        found = {
            one: _share(told[one]["messages"], sent) for one in ("delivered", "opened", "clicked", "unsubscribed", "complained")
        }
        found["click_to_open"] = _share(told["click_to_open"]["messages"], opened)
    if "converted" in told:
        found["converted"] = _share(told["converted"]["people"], people)
        found["revenue_per_recipient"] = _share(told["revenue"]["minor"], people)
        found["average_check"] = _share(told["revenue"]["minor"], told["credited"]["actions"])
    return found


def _share(of: int, whole: int) -> float | None:
    return round(of / whole, 6) if whole else None
