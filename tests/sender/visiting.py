"""Somebody who comes by a link, without a database: who he is, and what is told of him."""

from types import SimpleNamespace

from schemas.messages import Intent
from services.sender import domain, links
from services.sender.domain import Contact
from services.sender.subjects import Subjects, subjects
from services.sender.visitors import Visit
from tests.sender.live.kit import intent

NOBODY_KNOWS = SimpleNamespace(headers={})


def visit(
    contact: Contact, kind: links.Kind, letter: Intent | None = None, *, to: str = "", of: Subjects | None = None, now: int = 0
):
    """to: the address that the letter went to, if it is another one than his of today."""
    letter = letter or intent(1)
    went = to or domain.address_of(contact, letter.channel) or ""
    row = {"address_key": domain.address_key(letter, went), "state": "accepted", "links": None}
    link = links.Link(kind, letter.id, 0)
    return Visit(link, letter, row, letter.profile, contact, of or subjects([]), now or letter.received_at + 1, "en", "", "")


class Comes:
    """In the place of Visitors: one visit, and what he says."""

    def __init__(self, who: Visit) -> None:
        self.who, self.said, self.forbidden = who, [], []

    async def somebody(self, _request, _kind, *, expires=False):
        return self.who

    async def tell(self, facts):
        self.said.extend(facts)

    async def forbid(self, _person, noes):
        self.forbidden.extend(noes)
