"""What became of messages, and what people did after them, beside those who got none (docs/reports.md)."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pyroaring import BitMap

from schemas.audience_reading import Fault
from schemas.reports import PERIODS, Group, Outcomes
from schemas.zones import zone
from services.audience.handler.answering import Refused
from services.audience.reports import outcomes_messages as messages
from services.audience.reports.outcomes_folding import Key, fold
from services.audience.reports.outcomes_messages import (
    ACCEPTED,
    FAILED,
    FLAGS,
    GLOBAL,
    GROUPED,
    IN_DOUBT,
    LOCAL,
    OF_LETTER,
    Groups,
    Span,
)
from services.audience.reports.outcomes_target import credit, credited, follow
from services.audience.reports.target import MixedCurrencies
from services.audience.store.answers import View

EVER = 2**53
MOST_ROWS = 10_000
CREDIT = "count(*) AS people, sum(actions) AS actions, coalesce(sum(amount), 0)::VARCHAR AS amount, sum(negative) AS negative"
BOUNCES = 5  # as a part: letters that came back at once were never accepted
BOUNCED = f"SELECT {BOUNCES} AS part{{groups}}, count(*) AS messages, count(DISTINCT n) AS people FROM counted WHERE bounced AND part IN ({ACCEPTED}, {FAILED}) GROUP BY ALL"
WITHOUT: tuple[Group, ...] = ("variant", "template")  # of these a control group has none: it stands beside each of them

Counted = Mapping[str, Any]


class Found(NamedTuple):
    """What was counted, by group and part; None as the group: all of them together."""

    messages: Mapping[tuple[Key | None, int], Counted]
    credits: Mapping[tuple[Key | None, int], Counted]
    groups: Groups
    currency: str | None


def report(view: View, asked: Outcomes, members: BitMap | None) -> dict[str, Any]:
    """The answer, as JSON values. members: only these people. Raises Refused where currencies are mixed, or rows too many."""
    now = _found(view, asked, Span(asked.since or 0, asked.until or EVER), members)
    told = {"by": list(asked.by), "currency": now.currency, "rows": _rows(asked, now), "total": _figures(now, None, asked)}
    if asked.compared is None:
        return told
    before = _found(view, asked, Span(*asked.compared), members)
    return {**told, "before": {"currency": before.currency, "rows": _rows(asked, before), "total": _figures(before, None, asked)}}


def tables(view: View, asked: Outcomes, span: Span, members: BitMap | None) -> tuple[Groups, str | None]:
    """Make the tables of which all figures are, `counted` and `credit`. Raises Refused."""
    groups = messages.gather(view, asked, span, members)
    try:
        currency = follow(view, asked.target) if asked.target is not None else None
    except MixedCurrencies as error:
        raise Refused([error.fault("target")]) from error
    messages.join(view, asked)
    credit(view, asked.target)
    return groups, currency


def _found(view: View, asked: Outcomes, span: Span, members: BitMap | None) -> Found:
    duck = view.instant.duck
    groups, currency = tables(view, asked, span, members)
    counted = {
        **fold(duck),
        **_by(duck, BOUNCED.format(groups=f", {GROUPED}"), 4),
        **_by(duck, BOUNCED.format(groups=""), 0),
    }
    deeds = {
        **_by(duck, f"SELECT part, {GROUPED}, {CREDIT} FROM ({credited(groups=True)}) GROUP BY ALL", 4),
        **_by(duck, f"SELECT part, {CREDIT} FROM ({credited(groups=False)}) GROUP BY ALL", 0),
    }
    if len({key for key, _ in counted}) > MOST_ROWS:
        raise Refused(
            [Fault(path="by", code="rows", message=f"more than {MOST_ROWS} rows: ask for less", params={"limit": MOST_ROWS})]
        )
    return Found(counted, deeds, groups, currency)


def _by(duck: Any, sql: str, width: int) -> dict[tuple[Key | None, int], Counted]:
    done = duck.execute(sql)
    names = [column[0] for column in done.description][1 + width :]
    return {
        (tuple(row[1 : 1 + width]) if width else None, row[0]): dict(zip(names, map(_whole, row[1 + width :]), strict=True))
        for row in done.fetchall()
    }


def _whole(value: Any) -> int:
    """Sums are whole numbers; those of amounts come as texts, for they may be long."""
    return int(value)


def _rows(asked: Outcomes, found: Found) -> list[dict[str, Any]]:
    if not asked.by:
        return []
    shown = {key for key, part in found.messages if key is not None and (part not in (LOCAL, GLOBAL) or not _apart(asked))}
    rows = [(labels(asked, found.groups, key), key) for key in shown]
    return [{**dict(zip(asked.by, told, strict=True)), **_figures(found, key, asked)} for told, key in sorted(rows, key=_order)]


def _order(row: tuple[tuple[Any, ...], Key]) -> list[tuple[bool, Any]]:
    return [(isinstance(one, str), one) for one in row[0]]


def _apart(asked: Outcomes) -> bool:
    return not set(WITHOUT).isdisjoint(asked.by)


def labels(asked: Outcomes, groups: Groups, key: Key) -> tuple[Any, ...]:
    """What a row is of, in the order of `by`. Periods are called by their first day (ISO)."""
    gl, gp, gv, gt = key
    letter = iter(groups.labels[gl])
    named: dict[str, Any] = {one: next(letter) for one in asked.by if one in OF_LETTER}
    return tuple(_label(one, named, gp, (gv, gt), asked.zone) for one in asked.by)


def _label(one: Group, named: Mapping[str, Any], start: int, of: tuple[str, str], name: str) -> Any:
    if one in PERIODS:
        return str(zone(name).date(start))
    return of[0] if one == "variant" else of[1] if one == "template" else named[one]


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
    beside = key if key is None or not _apart(asked) else (*key[:2], "", "")
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
