"""Touches: clicks on our messages and visits by links that say whose they are, read from the index as arrays in the order of time.

A click that a scanner made is none: one that is marked `machine`, or that `store.verdicts.scanned` finds. A visit by one of our own links is
the click that led to it, where there is one within half an hour before.
"""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runtime.lake import quote, text
from schemas.machines import MARK
from services.audience.domain.sources import Said, Source, source_of
from services.audience.domain.ways import Flags, Numbers, Touches
from services.audience.store.answers import View
from services.audience.store.happenings import TAGS
from services.audience.store.leaves import Leaves
from services.audience.store.values import NONE
from services.audience.store.verdicts import RESPONSES, SCAN_MS, scanned

CLICKED = " Link Clicked"
TAPPED = {"Push Notification Tapped": "push"}
SAME_VISIT_MS = 30 * 60_000
NOTHING = "SELECT NULL::INTEGER AS n, NULL::BIGINT AS moment, '' AS medium, '' AS source, '' AS campaign, '' AS ad, false AS clicked, false AS scanned WHERE false"
WORDS = ("medium", "source", "campaign", "ad")
DENSE = 50_000_000  # combinations of words that are looked up in a table


class Read(NamedTuple):
    """Touches with the names of their numbers. scanned: clicks that were left out."""

    touches: Touches
    labels: Sequence[str]
    channels: Sequence[str]
    groups: Sequence[str]
    scanned: int


def read(view: View, since: int, until: int, level: str, own: Sequence[str], brands: Sequence[str]) -> Read:
    """All touches with since < moment <= until (ms). own: sources of links that are ours."""
    where = f"moment > {since} AND moment <= {min(until, view.now)} AND {among(brands)}"
    union = " UNION ALL ".join([NOTHING, *_clicks(view.leaves, view, where, since), *_visits(view, where)])
    table = view.instant.duck.sql(f"SELECT * FROM ({union})").to_arrow_table()
    scanned = int(flags(table.column("scanned")).sum())
    table = table.filter(pc.invert(table.column("scanned"))) if scanned else table
    return _ordered(table, _told(table, {one.lower() for one in own}), level, scanned)


def among(brands: Sequence[str]) -> str:
    """A condition on the rows of the index: facts of these brands."""
    return f"brand IN ({', '.join(map(text, brands))})" if brands else "true"


def click_events(view: View) -> list[str]:
    return sorted(name for name in view.instant.catalog.events if name.endswith(CLICKED) or name in TAPPED)


def _clicks(leaves: Leaves, view: View, where: str, since: int) -> Iterator[str]:
    for event in click_events(view):
        k = view.instant.catalog.events[event]
        channel = _first(leaves, event, ("channel",), TAPPED.get(event, event.removesuffix(CLICKED).lower().replace(" ", "_")))
        campaign = _first(leaves, event, ("document", "campaign_name", "campaign_id"), "")
        machine, marked = _machine(view, event, k, where, since), leaves.property(event, MARK).truth
        intent = leaves.property(event, "intent").text
        inner = f"(SELECT person, moment, brand, {intent} AS intent, {channel} AS medium, {campaign} AS campaign, ({marked})::BOOLEAN AS marked FROM e_{k} WHERE {where})"
        beside = "" if machine is None else f" LEFT JOIN ({machine}) m ON m.key = {_message(leaves)} AND m.clicked = t.moment"
        sign = "coalesce(t.marked, false)" + ("" if machine is None else " OR m.key IS NOT NULL")
        yield (
            f"SELECT {leaves.whose} AS n, t.moment, t.medium, '' AS source, t.campaign, '' AS ad, true AS clicked, {sign} AS scanned "
            f"FROM {inner} t{leaves.join}{beside}"
        )


def _message(leaves: Leaves) -> str:
    """Of which message a fact `t` with its brand and intent is. Other mailers' ids may be any text, and two of them use one: of one person in
    one brand it is one message.
    """
    return f"hash({leaves.whose}, t.brand, t.intent)"


def _first(leaves: Leaves, event: str, paths: Sequence[str], otherwise: str) -> str:
    found = [one for path in paths if (one := leaves.property(event, path).text) != NONE]
    return f"coalesce({', '.join([*found, text(otherwise)])})"


def _machine(view: View, event: str, k: int, where: str, since: int) -> str | None:
    """A query for the clicks (key: of the message, clicked: ms) that were a scanner's. None: nothing says of which message a click is."""
    intent, link = view.leaves.property(event, "intent").text, view.leaves.property(event, "link").whole
    if intent == NONE:
        return None
    clicks = _of_messages(
        view, "t.moment, t.link", f"SELECT person, moment, brand, {intent} AS intent, {link} AS link FROM e_{k} WHERE {where}"
    )
    way = event.removesuffix(CLICKED)
    return scanned(clicks, *(_told_of(view, f"{way}{word}", since - SCAN_MS) for word in (" Sent", " Delivered")))


def _told_of(view: View, event: str, since: int) -> str | None:
    """A query for the messages (key, moment) of which facts of this name tell. None: there are no such facts."""
    intent = view.leaves.property(event, "intent").text if view.leaves.knows(event) else NONE
    if intent == NONE:
        return None
    k = view.instant.catalog.events[event]
    return _of_messages(view, "t.moment", f"SELECT person, moment, brand, {intent} AS intent FROM e_{k} WHERE moment > {since}")


def _of_messages(view: View, columns: str, told: str) -> str:
    return f"SELECT {_message(view.leaves)} AS key, {columns} FROM ({told}) t{view.leaves.join} WHERE t.intent IS NOT NULL"


def _visits(view: View, where: str) -> Iterator[str]:
    clicks = set(click_events(view))
    for event, k in sorted(view.instant.catalog.events.items()):
        tags = view.instant.catalog.tags.get(event, frozenset())
        said = {tag: _tag(view, event, tag, tags) for tag in ("source", "medium", "name", "ad")}
        if event in clicks or event in RESPONSES or all(one == NONE for one in said.values()):
            continue
        yield _visit(view.leaves, k, where, said)


def _tag(view: View, event: str, tag: str, tags: frozenset[str]) -> str:
    """What the link said: the context's campaign, else the property that bears the name of the tag in addresses. `ad` no link says: it was read
    from the address.
    """
    plain = NONE if tag == "ad" else view.leaves.property(event, "utm_campaign" if tag == "name" else f"utm_{tag}").text
    found = [*([quote(TAGS[tag])] if tag in tags else []), *([plain] if plain != NONE else [])]
    return f"coalesce({', '.join([*found, 'NULL'])})" if found else NONE


def _visit(leaves: Leaves, k: int, where: str, said: dict[str, str]) -> str:
    there = " OR ".join(f"{one} IS NOT NULL" for one in said.values() if one != NONE)
    words = ", ".join(
        f"coalesce({sql}, '') AS {name}"
        for name, sql in zip(WORDS, (said["medium"], said["source"], said["name"], said["ad"]), strict=True)
    )
    inner = f"(SELECT person, moment, {words} FROM e_{k} WHERE {where} AND ({there}))"
    return f"SELECT {leaves.whose} AS n, t.moment, {', '.join(f't.{name}' for name in WORDS)}, false AS clicked, false AS scanned FROM {inner} t{leaves.join}"


def _told(table: Any, own: set[str]) -> tuple[Numbers, list[Source]]:
    """Where each row came from, as a number, and what the numbers mean. Each combination of words is looked at once."""
    code, size = flags(table.column("clicked")).astype(np.int64), 2
    words = []
    for name in WORDS:
        number, names = coded(table.column(name))
        code, size = code * len(names) + number if len(number) else code, size * max(1, len(names))
        words.append(names)
    there, number = _dense(code, size)
    sources = []
    for one in there.tolist():
        said = []
        for names in reversed(words):
            one, place = divmod(one, len(names))
            said.append(names[place])
        sources.append(source_of(Said(bool(one), *reversed(said)), own))
    return number, sources


def _dense(code: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """The codes that there are, in order, and the place of each row's among them."""
    if size > DENSE:
        there, number = np.unique(code, return_inverse=True)
        return there, number.astype(np.int64)
    seen = np.zeros(size, dtype=np.bool_)
    seen[code] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[code]


def _named(names: Sequence[str], number: Numbers) -> tuple[Numbers, list[str]]:
    """The names as numbers in their own order, by row."""
    known = sorted(set(names))
    place = {name: at for at, name in enumerate(known)}
    return np.array([place[name] for name in names], dtype=np.int64)[number] if len(number) else number, known


def _ordered(table: Any, told: tuple[Numbers, list[Source]], level: str, scanned: int) -> Read:
    number, sources = told
    label, labels = _named([one.label(level) for one in sources], number)
    channel, channels = _named([one.channel for one in sources], number)
    group, groups = _named([one.group for one in sources], number)
    own = np.array([one.own for one in sources], dtype=np.bool_)[number] if len(number) else np.zeros(0, dtype=np.bool_)
    n, moment = (table.column(name).to_numpy().astype(np.int64) for name in ("n", "moment"))
    clicked = flags(table.column("clicked"))
    order = in_time(n, moment, 2 * group + ~clicked)
    n, moment, own, clicked = n[order], moment[order], own[order], clicked[order]
    paid = channel[order] == channels.index("paid") if "paid" in channels else np.zeros(len(n), dtype=np.bool_)
    kept = ~_led_by_click(n, moment, own, clicked)
    found = Touches(n, moment, label[order], channel[order], group[order], own, paid)
    return Read(rows_of(found, kept), labels, channels, groups, scanned)


def in_time(n: Numbers, moment: Numbers, tie: Numbers) -> Numbers:
    """The order by person and time, ties by a third number. What is nearly in order costs little."""
    first = np.argsort(tie, kind="stable")
    second = first[np.argsort(moment[first], kind="stable")]
    return second[np.argsort(n[second], kind="stable")]


def rows_of(touches: Touches, kept: Any) -> Touches:
    """Some of them: numbers of rows in order, or a flag for each."""
    return Touches(*(one[kept] for one in touches))


def _led_by_click(n: Numbers, moment: Numbers, own: Flags, clicked: Flags) -> Flags:
    """Of visits by our own links those right after a click on one. Rows are in the order of time."""
    place = np.arange(len(n))
    last = np.maximum.accumulate(np.where(clicked, place, -1)) if len(n) else place
    led: Flags = own & ~clicked & (last >= 0) & (n[last] == n) & (moment - moment[last] <= SAME_VISIT_MS)
    return led


def coded(texts: Any) -> tuple[Numbers, list[str]]:
    """Texts as numbers in their order, and the texts."""
    encoded = pc.dictionary_encode(texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    return rank[encoded.indices.to_numpy(zero_copy_only=False)], [names[place] for place in order]


def flags(column: Any) -> Flags:
    return column.to_numpy().astype(np.bool_)  # type: ignore[no-any-return]
