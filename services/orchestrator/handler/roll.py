"""What one transaction learns of people to whom launches go: noted while they are decided, written with their states."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from runtime.db import Connection
from schemas.facts import Fact
from schemas.ids import partition_of
from schemas.messages import Decision, Intent
from schemas.steps import LETTER_EVENTS
from services.orchestrator import recipients
from services.orchestrator.domain.book import UNSUBSCRIBED
from services.orchestrator.domain.campaigns import place_of
from services.orchestrator.domain.mailings import PAUSED, PREFIX, Launched
from services.orchestrator.domain.state import Person
from services.orchestrator.domain.turn import Emission
from services.orchestrator.recipients import Became, Decided

OURS = frozenset(("sent", "skipped", "deferred", "would_have_sent"))
THEIRS = frozenset(("accepted", "failed", "skipped", "late", "held", "in_doubt", "unknown"))
BESIDE = frozenset(("merged", "already_sent"))  # said of a second letter, never of what he got
BITS = {event: {"opened": 1, "clicked": 2, "bounced": 4}.get(became, 0) for event, became in LETTER_EVENTS.items()} | {
    UNSUBSCRIBED: 8
}


class Roll:
    """launches: those of the book. partitions: how many there are."""

    def __init__(self, launches: Mapping[str, Launched], partitions: int) -> None:
        self._launches, self._partitions = launches, partitions
        self._decided: dict[tuple[str, str], Decided] = {}
        self._became: list[Became] = []
        self._tally: dict[tuple[str, int], list[int]] = {}
        self._merged: dict[str, Person] = {}  # losers, as they were
        self._erased: set[str] = set()

    def emitted(self, emission: Emission, profile: str) -> None:
        """Of what we decide: verdicts, and intents that go to the sender."""
        if isinstance(emission, Intent):
            if emission.document.startswith(PREFIX):
                self._count(emission.occurrence, partition_of(emission.profile, self._partitions), 0)
        elif isinstance(emission, Decision) and emission.document.startswith(PREFIX) and emission.verdict in OURS:
            self._note(emission, profile, due=emission.rule == PAUSED)

    def issued(self, launch: str) -> int:
        """How many letters of a launch went to the sender."""
        return sum(counts[0] for (of, _), counts in self._tally.items() if of == launch)

    def heard(self, verdict: Decision, profiles: Iterable[str], partition: int) -> None:
        """What the sender says of an intent."""
        if not verdict.document.startswith(PREFIX) or verdict.verdict not in THEIRS:
            return
        if verdict.verdict != "unknown":
            self._count(verdict.occurrence, partition, 1)
        for profile in profiles:
            self._note(verdict, profile, due=verdict.verdict == "held")

    def read(self, fact: Fact, profile: str) -> None:
        """What somebody did with a letter of his."""
        bit = BITS.get(fact.event, 0)
        document = str(fact.properties.get("document", ""))
        if bit and document.startswith(PREFIX):
            intent = str(fact.properties.get("intent", ""))
            self._became += [Became(launch, profile, intent, bit) for launch in self._launches_of[document]]

    def merged(self, loser: str, person: Person) -> None:
        if self._launches:
            self._merged[loser] = person

    def erased(self, people: Iterable[str]) -> None:
        self._erased.update(people)

    @cached_property
    def _launches_of(self) -> Mapping[str, list[str]]:
        """Name of a campaign -> ids of its launches."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for one in self._launches.values():
            found[one.name].append(one.id)
        return found

    async def save(self, connection: Connection, canonical: Callable[[str], str], now: int) -> None:
        if self._merged:
            await self._fold(connection, canonical, now)
        news = [one._replace(id=canonical(one.id)) for one in self._decided.values()]
        await recipients.decided(connection, news, [one._replace(id=canonical(one.id)) for one in self._became])
        await recipients.count(connection, self._tally)
        if self._erased:
            await connection.execute(recipients.ERASE, sorted(self._erased))

    async def _fold(self, connection: Connection, canonical: Callable[[str], str], now: int) -> None:
        """Also who was in an audience by himself, and is somebody else before the walk has come to him, belongs to it."""
        pairs = {loser: (canonical(loser), partition_of(canonical(loser), self._partitions)) for loser in self._merged}
        under_way = sorted(one.id for one in self._launches.values() if one.launch.start_at <= now)
        for row in await connection.fetch(recipients.CHOOSING, under_way):
            launched = self._launches[row["launch"]]
            for loser, person in self._merged.items():
                if (
                    partition_of(loser, self._partitions) == row["partition"]
                    and (place := place_of(launched, loser, person)) is not None
                ):
                    await recipients.choose(connection, launched.id, pairs[loser][1], {pairs[loser][0]: place})
        await recipients.fold(connection, pairs, under_way)

    def _note(self, told: Decision, profile: str, *, due: bool) -> None:
        key = (told.occurrence, profile)
        before = self._decided.get(key)
        if before is not None and (
            told.rule in BESIDE or told.attempt < before.attempt or (before.verdict == "accepted" != told.verdict)
        ):
            return
        variant = str(told.detail.get("variant", ""))
        self._decided[key] = Decided(
            told.occurrence, profile, told.verdict, told.rule, variant, told.attempt, told.intent or None, due
        )
        if due:
            self._tally.setdefault((told.occurrence, partition_of(profile, self._partitions)), [0, 0, 0])[2] = 1

    def _count(self, launch: str, partition: int, which: int) -> None:
        self._tally.setdefault((launch, partition), [0, 0, 0])[which] += 1
