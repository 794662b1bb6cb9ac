"""What the link of a letter confirms: what that letter asked about, of the address that it went to."""

import pytest

from schemas.permission import Said
from services.sender.confirmation import Confirmation
from services.sender.domain import Contact
from services.sender.links import Kind
from tests.sender.live.kit import intent
from tests.sender.visiting import NOBODY_KNOWS, Comes, visit

LETTER = intent(1)


async def confirmed(comes: Comes) -> list[str]:
    answer = await Confirmation(comes).confirm(NOBODY_KNOWS)
    assert answer.status_code == 200
    assert (b"nothing to confirm" in answer.body) is (not comes.said)
    return [fact.properties["topic"] for fact in comes.said]


def asking(address: str = "now@example.org", **asked: int) -> Contact:
    return Contact(addresses={"email": (1, address)}, words={f"shop|email|{topic}": Said(asked=at) for topic, at in asked.items()})


@pytest.mark.parametrize(("to", "topics"), [("now@example.org", ["news"]), ("before@example.org", [])])
async def test_a_link_confirms_nothing_of_an_address_that_the_letter_did_not_go_to(to, topics):
    """He may have been given another one since, by a merge or by a form: nobody who reads that one has pressed the button."""
    assert await confirmed(Comes(visit(asking(news=5), Kind.CONFIRM, to=to))) == topics


async def test_a_link_confirms_nothing_of_who_has_no_address_any_more():
    contact = asking(news=5)
    contact.addresses.clear()
    assert await confirmed(Comes(visit(contact, Kind.CONFIRM, to="before@example.org"))) == []


async def test_what_was_asked_for_after_the_letter_waits_for_its_own():
    asked = asking(news=LETTER.received_at, sales=LETTER.received_at + 1)
    assert await confirmed(Comes(visit(asked, Kind.CONFIRM))) == ["news"]


async def test_the_hash_of_the_wording_says_nothing_of_the_address():
    facts = []
    for address in ("ann@example.org", "bob@sample.com"):
        comes = Comes(visit(asking(address, news=5), Kind.CONFIRM))
        await confirmed(comes)
        facts += comes.said
    assert facts[0].properties["text_sha256"] == facts[1].properties["text_sha256"]
    assert "a•••@e•••.org" in facts[0].properties["evidence"]["wording"]
    assert all("•••" not in str({**fact.properties, "evidence": None}) for fact in facts)
