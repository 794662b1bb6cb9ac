"""Reads what is there in the end, as a consumer would, and counts where it differs from the oracle."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import asyncpg
import msgspec

from runtime.kafka import Reader
from runtime.settings import Settings
from tests.chaos.fleet import SERVICES
from tests.support.live import read

Place = tuple[str, int]
TOLD = ("profile.changed", "profile.merged", "profile.split", "profile.refused")


@dataclass
class Findings:
    """Counts of what must be zero, and examples of each for whoever looks for the cause."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, what: str, example: str) -> None:
        self.counts[what] += 1
        if self.counts[what] <= 5:
            self.examples.append(f"{what}: {example}")


# ---- quiet


async def settled(settings: Settings, connection: asyncpg.Connection, seconds: float) -> str:
    """Wait until every watermark is at its log end and the outboxes are empty, twice with the same ends. Returns what is not, if so."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    before: dict[Place, int] = {}
    topics = sorted({topic for kind in SERVICES for topic in kind.reads})
    reader = Reader(settings, "chaos-ends", "live", topics)
    await reader.start()
    try:
        while True:
            ends = await reader.ends([(topic, p) for topic in topics for p in range(settings.partitions)])
            busy = await _behind(connection, ends)
            if not busy and ends == before:
                return ""
            if loop.time() > deadline:
                return busy or "the logs still grow"
            before = ends
            await asyncio.sleep(0.5)
    finally:
        await reader.stop()


async def _behind(connection: asyncpg.Connection, ends: dict[Place, int]) -> str:
    for kind in SERVICES:
        rows = await connection.fetch(f"SELECT topic, partition, next_offset FROM {kind.name}.watermark")
        marks = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        for place, end in ends.items():
            if place[0] in kind.reads and end and marks.get(place, -1) < end:
                return f"{kind.name} stands at {marks.get(place)} of {end} in {place[0]}-{place[1]}"
        if count := await connection.fetchval(f"SELECT count(*) FROM {kind.name}.outbox"):
            return f"{count} rows wait in the outbox of {kind.name}"
        if kind.waits and (count := await connection.fetchval(kind.waits)):
            return f"{kind.name} has still to do {count}"
    return ""


# ---- the logs


async def consumed(settings: Settings, topic: str) -> tuple[list[dict[str, Any]], int]:
    """The records of a topic that a consumer handles: of each src, in each partition, only what is above the highest seq so far.

    Returns them and how many it drops.
    """
    highest: dict[tuple[int, str], list[int]] = {}
    kept: list[dict[str, Any]] = []
    records = await read(settings, topic, logged=True)
    for record in records:
        source = (record["_partition"], record["src"])
        if record["seq"] > highest.get(source, [-1]):
            highest[source] = record["seq"]
            kept.append({**record, "_topic": topic})
    return kept, len(records) - len(kept)


def check_facts(found: Findings, records: Sequence[dict[str, Any]], expected: dict[str, int], keys: dict[str, str]) -> None:
    """Each accepted fact is there once; in the order of its source key within one partition."""
    facts = [record for record in records if record["type"] not in TOLD and record["source"] != "sender"]
    times = Counter(fact["properties"]["message"] for fact in facts)
    for message in expected.keys() - times.keys():
        found.add("facts.lost", message)
    for message, count in times.items():
        if count > 1:
            found.add("facts.twice", f"{message} {count} times")
    for told, count in Counter(record["id"] for record in records if record["type"] in TOLD).items():
        if count > 1:
            found.add("facts.twice", f"{told} told {count} times")
    for message in times.keys() - expected.keys():
        found.add("state.differences", f"{message} was never accepted")
    last: dict[tuple[str, str, int], int] = {}
    for fact in facts:
        message = fact["properties"]["message"]
        stream = (keys.get(message, ""), fact["_topic"], fact["_partition"])
        number = expected.get(message, 0)
        if number < last.get(stream, 0):
            found.add("order.breaks", f"{message} after m{last[stream]} in {stream[1]}-{stream[2]}")
        last[stream] = max(number, last.get(stream, 0))


async def check_journals(found: Findings, connection: asyncpg.Connection) -> None:
    """In each partition the ranges that a service handled follow each other without a gap and without going back."""
    for kind in SERVICES:
        ranges: dict[Place, list[tuple[int, int]]] = defaultdict(list)
        rows = await connection.fetch(f"SELECT topics, partitions, from_offsets, to_offsets FROM {kind.name}.journal ORDER BY id")
        for row in rows:
            for topic, partition, start, end in zip(*row.values(), strict=True):
                ranges[topic, partition].append((start, end))
        for (topic, partition), taken in ranges.items():
            for (_, end), (start, after) in pairwise([(0, 0), *taken]):
                if start != end or after < start:
                    found.add("order.breaks", f"{kind.name}: {topic}-{partition} went from {end} to {start}..{after}")
        for row in await connection.fetch(f"SELECT reason, count(*) AS n FROM {kind.name}.dead_letter GROUP BY reason"):
            found.add("state.differences", f"{kind.name} buried {row['n']} records as {row['reason']}")


# ---- the people


async def check_people(
    found: Findings, connection: asyncpg.Connection, records: Sequence[dict[str, Any]], people: Iterable[dict[str, Any]]
) -> dict[str, str]:
    """Who is whom and what is known of him, in the tables and in what consumers were told, against the oracle.

    Returns identifier -> profile.
    """
    stones = dict(await connection.fetch("SELECT id::text, merged_into::text FROM profile.profile WHERE merged_into IS NOT NULL"))
    groups: dict[str, list[str]] = defaultdict(list)
    for name, profile in await connection.fetch("SELECT key, profile::text FROM profile.identifier"):
        groups[_end(stones, profile)].append(name)
    states = await connection.fetch("SELECT id::text, state FROM profile.profile WHERE merged_into IS NULL")
    attributes = {row["id"]: msgspec.msgpack.decode(row["state"])[1] for row in states}
    wanted = {tuple(person["identifiers"]): person["attributes"] for person in people}
    actual = {tuple(sorted(names)): profile for profile, names in groups.items()}
    for names in wanted.keys() ^ actual.keys():
        found.add("state.differences", f"{'nobody has' if names in wanted else 'somebody has'} exactly {names}")
    told = attributes_told(stones, records)
    for names in wanted.keys() & actual.keys():
        profile = actual[names]
        if attributes[profile] != wanted[names]:
            found.add("state.differences", f"{names}: {attributes[profile]} instead of {wanted[names]}")
        if told[profile] != _visible(wanted[names]):
            found.add("state.differences", f"{names}: consumers were told {told[profile]} instead of {wanted[names]}")
    owner = {name: profile for profile, names in groups.items() for name in names}
    check_names(found, records, owner, stones)
    return owner


def check_names(found: Findings, records: Sequence[dict[str, Any]], owner: dict[str, str], stones: dict[str, str]) -> None:
    """Every record is told of whoever has its strongest identifier. Of who was parted consumers know it by its home (docs/adr/0012); what was
    told of himself before, of names that left with the others, is undone by the split, which tells all of him anew.

    owner: identifier -> profile; stones: profile -> the one that it was merged into.
    """
    splits = [record["properties"] for record in records if record["type"] == "profile.split"]
    homes = {home: part["profile"] for split in splits for part in split["parts"] for home in part["homes"]}
    to_come = Counter(record["profile"] for record in records if record["type"] == "profile.split")
    for record in records:
        if record["type"] == "profile.split":
            to_come[record["profile"]] -= 1
        elif record["type"] in TOLD and to_come[record["profile"]]:
            continue
        told = homes.get(record.get("home") or record["profile"], record["profile"])
        if record.get("identifiers") and owner.get(record["identifiers"][0]) != _end(stones, told):
            found.add("state.differences", f"record {record['id']} names another person than its identifiers")


def attributes_told(stones: dict[str, str], records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The attributes of each person as a consumer folds them from the log."""
    known: dict[str, dict[str, list[Any]]] = defaultdict(dict)
    for record in records:
        if record["type"] in TOLD:
            person = known[_end(stones, record["profile"])]
            if record["type"] == "profile.split":
                person.clear()  # what it says is all that is left to him
            for name, news in record.get("attributes", {}).items():
                if name not in person or _rank(news) > _rank(person[name]):
                    person[name] = news
    return defaultdict(dict, {profile: _visible(person) for profile, person in known.items()})


def _visible(attributes: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: value for name, (_, value) in attributes.items() if value is not None}


def _rank(news: list[Any]) -> tuple[int, bytes]:
    return news[0], json.dumps(news[1], ensure_ascii=False).encode()


def _end(stones: dict[str, str], profile: str) -> str:
    while profile in stones:
        profile = stones[profile]
    return profile
