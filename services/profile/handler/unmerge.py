"""Somebody is parted into those of whom he was made by mistake, under his lock; the others are told who is whose now."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from runtime.batch import Emit, Item, Tx
from runtime.db import Connection
from schemas.facts import PROFILE_CHANGED, PROFILE_SPLIT, Fact, SplitPart, Unmerge, encode
from schemas.topics import FACTS
from services.profile import domain, store
from services.profile.domain import Part, Profile, Rules, ledger
from services.profile.handler.erasure import locked


async def parts_of(
    connection: Connection,
    ids: Sequence[str],
    profile: Profile,
    homes: Mapping[str, str],
    rules: Rules,
    apart: Collection[str],
    act: str,
) -> list[Part]:
    """What an unmerge makes of a person. ids: his own, and of those who became one with him."""
    facts = [link.as_fact(link.names) for link in await store.linkings(connection, ids)]
    return domain.part(ids[0], profile, facts, rules, homes, homes.keys() & set(apart), act)


async def unmerge(tx: Tx, rules: Rules, item: Item, fact: Fact) -> list[Emit]:
    """Handle an `unmerge` fact. Where nothing is to be parted nothing is told."""
    connection, asked = tx.connection, msgspec.convert(fact.properties, Unmerge)
    person = (await store.meant(connection, [fact.about or ""])).get(fact.about or "")
    if person is None:
        return []
    profile, others, homes = await locked(connection, person)
    parts = await parts_of(connection, [person, *others], profile, homes, rules, asked.apart, fact.id)
    if len(parts) < 2:
        return []
    stays, *go = parts
    gone = {name: (part.id, homes[name]) for part in go for name in part.profile.known_as()}
    # Each by itself: one who had become one with another before may be on the other side of the cut now.
    buried = {other: next((part.id for part in go if other in part.homes), person) for other in others}
    await store.save(
        connection,
        new={part.id: part.profile for part in go},
        old={person: stays.profile},
        buried=buried,
        given=gone,
    )
    await store.part_again(connection, list(gone))
    await store.inherit_brands(connection, buried)
    await _part_links(connection, person, others, parts)
    ours, *theirs = await _told_of(connection, others, parts)
    told = domain.split(fact, ours, stays.profile, theirs, tuple(gone))
    news = (domain.parted(fact, part.id, part.profile, person) for part in go)
    return [
        Emit(FACTS.name, person, encode(told), tx.at(item), PROFILE_SPLIT),
        *(Emit(FACTS.name, one.profile or "", encode(one), tx.at(item), PROFILE_CHANGED) for one in news),
    ]


async def _told_of(connection: Connection, others: Sequence[str], parts: Sequence[Part]) -> list[SplitPart]:
    """What the others are told of each, after his words of consent have become his own in the ledger."""
    stays, *go = parts
    whose = {home: part.id for part in go for home in part.homes}
    said = [
        (entry, whose.get(entry.home or entry.profile, stays.id))
        for entry in await store.all_entries(connection, [stays.id, *others])
    ]
    await store.part_entries(connection, [(entry, person) for entry, person in said if person != stays.id])
    told = []
    for part in parts:
        words = ledger.words(entry for entry, person in said if person == part.id)
        mine = [o for o in others if whose.get(o, stays.id) == part.id]
        told.append(
            SplitPart(profile=part.id, homes=tuple(sorted(part.homes)), others=tuple(mine), words=msgspec.to_builtins(words))
        )
    return told


async def _part_links(connection: Connection, person: str, others: Sequence[str], parts: Sequence[Part]) -> None:
    """Each has his own facts in the journal from here on, with his own names only."""
    links = await store.linkings(connection, [person, *others])
    await store.forget_linkings(connection, [person, *others])
    kept = [
        link._replace(profile=part.id, names=mine)
        for link in links
        for part in parts
        if (mine := [name for name in link.names if name in part.profile.known_as()])
    ]
    await store.journal(connection, kept)
