"""Those who come by a link: whom its token means, and what they say there. A token is all that is asked for: who holds it may act."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request

from runtime import people
from runtime.clock import Clock
from runtime.db import Again, Connection, Database
from runtime.definitions import Definitions
from runtime.people import Saved
from runtime.publisher import Outgoing, Publisher
from schemas import consents
from schemas.facts import Fact, encode
from schemas.ids import derive, partition_of
from schemas.machines import is_deed
from schemas.messages import Intent, decode_intent
from schemas.permission import word
from schemas.topics import FACTS_RAW, FACTS_RAW_BULK
from services.sender import domain, links, store
from services.sender.domain import Contact
from services.sender.pages import shell
from services.sender.subjects import Subjects, subjects

_decode = msgspec.msgpack.Decoder(Contact).decode
_encode = msgspec.msgpack.Encoder().encode
READ = "SELECT intent, profile::text AS profile, links, state, address_key FROM attempt WHERE id = $1"
READABLE_MS = 731 * 86_400_000  # two years, and the day of a leap year


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who came by a link of a message. person: who he is by now; contact: None when he is nobody any more; row: of the ledger;
    now: ms; ip, agent: where he came from, and by which program.
    """

    link: links.Link
    intent: Intent
    row: Any
    person: str
    contact: Contact | None
    subjects: Subjects
    now: int
    language: str
    ip: str
    agent: str

    @property
    def known(self) -> Contact:
        """What is known of him: nothing of nobody."""
        return self.contact or Contact()

    @property
    def to(self) -> str:
        """His address on the channel by which he came."""
        return domain.address_of(self.known, self.intent.channel) or ""

    @property
    def came_to(self) -> bool:
        """Is it to this address that the message went? Then who has the link has the address."""
        return bool(self.to) and domain.address_key(self.intent, self.to) == self.row["address_key"]

    @property
    def brand(self) -> str:
        return self.subjects.brand(self.intent.brand)

    def said(self, event: str, source: str, name: str, properties: dict[str, Any], at: int = 0) -> Fact:
        """A fact of this person, who is named by his profile: an address may be somebody else's by now. name: makes its id.

        Where he came from goes along with words of consent alone, which must be proved.
        """
        proof = {"ip": self.ip, "userAgent": self.agent} if event in consents.EVENTS else {}
        return Fact(
            id=derive("link", self.intent.id, name),
            type="track",
            event=event,
            brand=self.intent.brand,
            source=source,
            occurred_at=at or self.now,
            received_at=at or self.now,
            about=self.person,
            properties=properties,
            context={name: value for name, value in proof.items() if value},
            cause=self.intent.id,
        )

    def of_message(self, **more: Any) -> dict[str, Any]:
        """Properties that say by which message he came."""
        intent = self.intent
        return {"intent": intent.id, "document": intent.document, "step": intent.step, "channel": intent.channel, **more}


class Visitors:
    """Knows who comes, and carries on what he says."""

    def __init__(self, db: Database, publisher: Publisher, keys: links.Keys, clock: Clock, partitions: int) -> None:
        self._db, self._publisher, self._keys, self._clock, self._partitions = db, publisher, keys, clock, partitions
        self._definitions = Definitions(("topic", "brand"), subjects)
        self.reconcile: Callable[[Intent, str], Awaitable[None]] | None = None

    async def find(self, request: Request, kind: links.Kind) -> Visit | int:
        """Who came, or the status to answer: 404 for a token that is none of ours, 410 for one of a message that is gone."""
        link = links.read(request.path_params["token"].removesuffix(".gif"), self._keys)
        if link is None or link.kind is not kind:
            return 404
        now = (await self._clock.now())[0]
        async with self._db.connection() as connection:
            row = await connection.fetchrow(READ, link.id)
            if row is None:
                return 410
            found = (await store.contacts(connection, [row["profile"]])).get(row["profile"])
            offered = await self._offered(connection)
        intent = decode_intent(row["intent"])
        if row["state"] == "in_doubt" and self.reconcile is not None:
            await self.reconcile(intent, row["profile"])  # who clicks has got it
        contact = _decode(found["state"]) if found is not None and found["state"] else None
        speaks = contact.attributes.get("language", (0, None))[1] if contact else None
        language = shell.language_of(request, speaks, offered.language(intent.brand))
        person = found["id"] if found is not None else row["profile"]
        agent = request.headers.get("user-agent", "")[:500]
        return Visit(link, intent, row, person, contact, offered, now, language, _ip(request), agent)

    async def somebody(self, request: Request, kind: links.Kind, *, expires: bool = False) -> Visit | int:
        """Who came, if he is still somebody; 410 if he is not. expires: the link is good for two years; a no is taken for ever."""
        visit = await self.find(request, kind)
        if isinstance(visit, int):
            return visit
        over = expires and visit.now - visit.intent.received_at > READABLE_MS
        return 410 if over or visit.contact is None else visit

    async def _offered(self, connection: Connection) -> Subjects:
        revision = await connection.fetchval("SELECT revision FROM definition_revision")
        return await self._definitions.at(connection, revision)

    async def tell(self, facts: Iterable[Fact]) -> None:
        """Into the log like any other fact, what machines did by the second lane; returns when Kafka has them. Raises SendFailed and Full."""
        made = []
        for fact in facts:
            key = f"{fact.source}|{fact.about or fact.identifiers[0]}"
            topic = FACTS_RAW if is_deed(fact.event, fact.properties) else FACTS_RAW_BULK
            made.append(Outgoing(topic.name, partition_of(key, self._partitions), key.encode(), encode(fact)))
        await self._publisher.publish(made)

    async def forbid(self, person: str, noes: Sequence[Fact]) -> None:
        """Take in at once what he refuses: in force for every provider call that starts from now on, before the facts have come round.

        Who was made one with another meanwhile is looked for again.
        """
        while noes and not await self._forbid(person, noes):
            continue

    async def _forbid(self, person: str, noes: Sequence[Fact]) -> bool:
        try:
            async with self._db.transaction() as connection:
                crowd = await people.load(connection, [person])
                canonical = crowd.canonical(person)
                if crowd.gone(canonical):
                    return True
                state = crowd.state(canonical)
                contact = _decode(state) if state else Contact()
                for fact in noes:
                    domain.hear(contact, *word(fact))
                await crowd.save(connection, [Saved(canonical, partition_of(canonical, self._partitions), _encode(contact), None)])
                await connection.execute(store.TOUCH, [canonical])
        except Again:
            return False
        return True


def _ip(request: Request) -> str:
    """As the gateway was told, who writes it last."""
    passed = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return (passed or (request.client.host if request.client else ""))[:100]
