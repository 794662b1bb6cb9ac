"""What of the inputs concerns anybody here, and whom."""

from collections.abc import Iterable

import msgspec

from runtime.batch import Item
from runtime.definitions import decode_published
from runtime.kafka import Record
from schemas import memberships
from schemas.definitions import Published
from schemas.facts import PROFILE_CHANGED, PROFILE_ERASED, PROFILE_MERGED, PROFILE_SPLIT, Erased, Fact, Merged, Seq, Split, decode
from schemas.memberships import Membership
from schemas.messages import Decision, decode_decision
from schemas.unnamed import UNNAMED
from services.orchestrator.domain import book as books
from services.orchestrator.domain import decide
from services.orchestrator.domain.book import Book

_FROM_SENDER = ("t", b"sender")


class Glance(msgspec.Struct, frozen=True):
    """As much of a fact as tells whether anybody wants to read the rest."""

    type: str
    received_at: int
    profile: str
    event: str = ""
    src: str | None = None
    seq: Seq | None = None


_glance = msgspec.json.Decoder(Glance).decode


def decode_fact(record: Record) -> Glance:
    return _glance(record.value or b"")


def decode_membership(record: Record) -> Membership:
    return memberships.decode(record.value or b"")


def decode_verdict(record: Record) -> Decision | None:
    """The sender's verdicts; our own pass undecoded."""
    return decode_decision(record.value or b"") if _FROM_SENDER in record.headers else None


def decode_document(record: Record) -> Published | None:
    """A document of a kind that is used here. Raises ValueError for one that could not be read later."""
    document = decode_published(record)
    if document.kind not in books.KINDS:
        return None
    books.check(document)
    return document


News = Fact | Membership | Decision


def relevant(book: Book, item: Item) -> News | None:
    """What an item says, decoded, if it concerns anybody here; most facts (page views) do not, at the price of a look-up."""
    value = item.value
    if isinstance(value, Glance):
        always = value.type in (PROFILE_CHANGED, PROFILE_MERGED, PROFILE_SPLIT, PROFILE_ERASED)
        if not always and (value.event or value.type) not in book.events:
            return None
        fact = decode(item.raw)
        return fact if decide.concerns(fact) else None
    if isinstance(value, Membership):
        # Answers to a journey's conditions may come before the journey itself does: they are kept whether it is known yet or not.
        wanted = value.type == "mark" or value.segment in book.segments or value.segment.startswith(UNNAMED)
        return value if wanted else None
    return value if isinstance(value, Decision) and value.by == "sender" and value.intent else None


def profiles(news: News) -> Iterable[str]:
    """The ids whose rows a piece of news needs."""
    if isinstance(news, Fact) and news.type == PROFILE_MERGED:
        merged = msgspec.convert(news.properties, Merged)
        return (merged.winner, merged.loser)
    if isinstance(news, Fact) and news.type == PROFILE_SPLIT:
        split = msgspec.convert(news.properties, Split)
        others = (other for part in split.parts for other in part.others)
        return (news.profile or "", *(part.profile for part in split.parts), *split.stay, *others)
    if isinstance(news, Fact) and news.type == PROFILE_ERASED:
        return (news.profile or "", *msgspec.convert(news.properties, Erased).others)
    return (news.profile,) if news.profile else ()
