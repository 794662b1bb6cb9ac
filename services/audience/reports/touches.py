"""Touches: clicks on our messages and visits by links that say whose they are, read from the index as arrays in the order of time.

A click that a scanner made is none: one within two seconds of the sending, or of three links and more of a letter within two seconds. A
visit by one of our own links is the click that led to it, where there is one within half an hour before.
"""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runtime.lake import quote, text
from services.audience.domain.ways import Flags, Numbers, Touches
from services.audience.store.answers import View
from services.audience.store.happenings import TAGS
from services.audience.store.leaves import Leaves
from services.audience.store.values import NONE

CLICKED = " Link Clicked"
TAPPED = {"Push Notification Tapped": "push"}
SENT = ("Email Sent", "Email Delivered")
SCAN_MS = 2_000  # no reader clicks sooner
SCANNED_LINKS = 3
SAME_VISIT_MS = 30 * 60_000
# What `utm_medium` says of the channel; the first that fits.
MEDIUMS = (
    (r"cpc|ppc|cpm|cpa|cpv|cpo|paid.*|display|banner|retargeting|remarketing|ads?|context|target", "paid", False),
    (r"e-?mail|newsletter", "email", True),
    (r"sms", "sms", True),
    (r"push|web_?push|mobile_?push", "push", True),
    (r"telegram|vk_?message|messenger|whatsapp|viber|bot", "messenger", True),
    (r"social.*|smm", "social", False),
    (r"affiliate|partner.*|cpl", "affiliate", False),
    (r"organic", "organic", False),
    (r"referral", "referral", False),
)
LEVELS = {
    "channel": "channel",
    "source": "CASE WHEN source <> '' THEN source ELSE channel END",
    "campaign": "CASE WHEN campaign <> '' THEN channel || ': ' || campaign ELSE channel END",
    "document": "CASE WHEN own AND campaign <> '' THEN campaign ELSE channel END",
}
NOTHING = "SELECT NULL::INTEGER AS n, NULL::BIGINT AS moment, '' AS channel, '' AS campaign, '' AS source, false AS own, false AS clicked WHERE false"


class Read(NamedTuple):
    """Touches with the names of their numbers. scanned: clicks that were left out."""

    touches: Touches
    labels: Sequence[str]
    channels: Sequence[str]
    groups: Sequence[str]
    scanned: int


def read(view: View, since: int, until: int, level: str, own: Sequence[str], brands: Sequence[str]) -> Read:
    """All touches with since < moment <= until (ms). own: sources of links that are ours."""
    only = among(brands)
    where = f"moment > {since} AND moment <= {min(until, view.now)} AND {only}"
    clicks, visits = list(_clicks(view.leaves, view, where)), list(_visits(view, where, own))
    union = " UNION ALL ".join([NOTHING, *clicks, *visits])
    table = view.instant.duck.sql(f"SELECT *, {LEVELS[level]} AS label FROM ({union})").to_arrow_table()
    scanned = sum(view.instant.duck.execute(query).fetchall()[0][0] for query in _scans(view, where))
    return _ordered(table, scanned)


def among(brands: Sequence[str]) -> str:
    """A condition on the rows of the index: facts of these brands."""
    return f"brand IN ({', '.join(map(text, brands))})" if brands else "true"


def click_events(view: View) -> list[str]:
    return sorted(name for name in view.instant.catalog.events if name.endswith(CLICKED) or name in TAPPED)


def _clicks(leaves: Leaves, view: View, where: str) -> Iterator[str]:
    for event in click_events(view):
        k = view.instant.catalog.events[event]
        channel = _first(leaves, event, ("channel",), TAPPED.get(event, event.removesuffix(CLICKED).lower().replace(" ", "_")))
        campaign = _first(leaves, event, ("document", "campaign_name", "campaign_id"), "")
        inner = f"(SELECT person, moment, {channel} AS channel, {campaign} AS campaign FROM {_human(view, event, k, where)})"
        yield (
            f"SELECT {leaves.whose} AS n, t.moment, t.channel, t.campaign, '' AS source, true AS own, true AS clicked "
            f"FROM {inner} t{leaves.join}"
        )


def _first(leaves: Leaves, event: str, paths: Sequence[str], otherwise: str) -> str:
    found = [one for path in paths if (one := leaves.property(event, path).text) != NONE]
    return f"coalesce({', '.join([*found, text(otherwise)])})"


def _human(view: View, event: str, k: int, where: str) -> str:
    """The clicks that no scanner made, as a table."""
    machine = _machine(view, event, k, where)
    if machine is None:
        return f"(SELECT * FROM e_{k} WHERE {where})"
    intent = view.leaves.property(event, "intent").text
    return f"(SELECT c.* FROM e_{k} c ANTI JOIN ({machine}) m ON m.intent = {intent} AND c.moment <= m.until WHERE {where})"


def _machine(view: View, event: str, k: int, where: str) -> str | None:
    """A query for intent and until (ms): clicks of this message up to then are a scanner's. None: nothing says of which message one is."""
    intent, link = view.leaves.property(event, "intent").text, view.leaves.property(event, "link").whole
    if intent == NONE:
        return None
    own = f"(SELECT {intent} AS intent, moment, {link} AS link FROM e_{k} WHERE {where} AND {intent} IS NOT NULL)"
    first = f"(SELECT intent, min(moment) AS first FROM {own} GROUP BY intent)"
    all_at_once = (
        f"SELECT intent, first + {SCAN_MS} - 1 AS until FROM {own} JOIN {first} USING (intent) WHERE moment < first + {SCAN_MS} "
        f"GROUP BY intent, first HAVING count(DISTINCT link) >= {SCANNED_LINKS}"
    )
    found = [all_at_once]
    for sent in SENT if event.startswith("Email") else ():
        of = view.leaves.property(sent, "intent").text if sent in view.instant.catalog.events else NONE
        if of != NONE:
            number = view.instant.catalog.events[sent]
            rows = f"(SELECT {of} AS intent, moment + {SCAN_MS} - 1 AS until FROM e_{number} WHERE {of} IS NOT NULL)"
            found.append(f"SELECT s.intent, s.until FROM {rows} s SEMI JOIN {own} USING (intent)")
    return f"SELECT intent, max(until) AS until FROM ({' UNION ALL '.join(found)}) GROUP BY intent"


def _scans(view: View, where: str) -> Iterator[str]:
    """Queries for how many clicks are left out."""
    for event in click_events(view):
        k = view.instant.catalog.events[event]
        if (machine := _machine(view, event, k, where)) is not None:
            intent = view.leaves.property(event, "intent").text
            yield f"SELECT count(*) FROM e_{k} c SEMI JOIN ({machine}) m ON m.intent = {intent} AND c.moment <= m.until WHERE {where}"


def _visits(view: View, where: str, own: Sequence[str]) -> Iterator[str]:
    clicks = set(click_events(view))
    for event, k in sorted(view.instant.catalog.events.items()):
        tags = view.instant.catalog.tags.get(event, frozenset())
        said = {tag: _tag(view, event, tag, tags) for tag in ("source", "medium", "name")}
        if event in clicks or (all(one == NONE for one in said.values()) and event not in view.instant.catalog.advertised):
            continue
        yield _visit(view.leaves, k, where, said, own)


def _tag(view: View, event: str, tag: str, tags: frozenset[str]) -> str:
    """What the link said: the context's campaign, else the property that bears the name of the tag in addresses."""
    plain = view.leaves.property(event, "utm_campaign" if tag == "name" else f"utm_{tag}").text
    found = [*([quote(TAGS[tag])] if tag in tags else []), *([plain] if plain != NONE else [])]
    return f"coalesce({', '.join([*found, 'NULL'])})" if found else NONE


def _visit(leaves: Leaves, k: int, where: str, said: dict[str, str], own: Sequence[str]) -> str:
    source, medium = f"lower(coalesce({said['source']}, ad, ''))", f"lower(coalesce({said['medium']}, ''))"
    there = " OR ".join(f"{one} IS NOT NULL" for one in (*said.values(), "ad") if one != NONE)
    ours = ", ".join(text(one.lower()) for one in own) or "''"
    channel = " ".join(f"WHEN regexp_full_match(medium, {text(form)}) THEN {text(name)}" for form, name, _ in MEDIUMS)
    own_medium = "|".join(form for form, _, crm in MEDIUMS if crm)
    inner = (
        f"(SELECT person, moment, {source} AS source, {medium} AS medium, coalesce({said['name']}, '') AS campaign, ad "
        f"FROM e_{k} WHERE {where} AND ({there}))"
    )
    return (
        f"SELECT {leaves.whose} AS n, t.moment, CASE WHEN ad IS NOT NULL THEN 'paid' {channel} WHEN source IN ({ours}) THEN 'crm' "
        f"ELSE 'other' END AS channel, t.campaign, t.source, "
        f"ad IS NULL AND (source IN ({ours}) OR regexp_full_match(medium, {text(own_medium)})) AS own, false AS clicked "
        f"FROM {inner} t{leaves.join}"
    )


def _ordered(table: Any, scanned: int) -> Read:
    label, labels = coded(table.column("label"))
    channel, channels = coded(table.column("channel"))
    group, groups = coded(pc.binary_join_element_wise(table.column("channel"), table.column("campaign"), ": "))
    n = table.column("n").to_numpy().astype(np.int64)
    moment = table.column("moment").to_numpy().astype(np.int64)
    own, clicked = flags(table.column("own")), flags(table.column("clicked"))
    order = np.lexsort((group, ~clicked, moment, n))
    n, moment, own, clicked = n[order], moment[order], own[order], clicked[order]
    names = np.array([*channels, ""], dtype=object)
    paid = np.flatnonzero(names == "paid")
    kept = ~_led_by_click(n, moment, own, clicked)
    found = Touches(n, moment, label[order], channel[order], group[order], own, np.isin(channel[order], paid))
    return Read(rows_of(found, kept), labels, channels, groups, scanned)


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
