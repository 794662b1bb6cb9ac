"""What the preference centre tells of a change, beside the change."""

from urllib.parse import urlencode

from schemas.permission import Said
from services.sender.domain import Contact
from services.sender.links import Kind
from services.sender.preferences import Preferences
from tests.sender.visiting import Comes, visit


class Posts:
    """A request with a form."""

    def __init__(self, **fields: str) -> None:
        self.fields, self.headers = fields, {}

    async def stream(self):
        yield urlencode(self.fields).encode()


async def said_by(**fields: str):
    contact = Contact(addresses={"email": (1, "ann@example.org"), "phone": (1, "+79160000001")})
    contact.words = {"shop|email|*": Said(yes=1)}
    comes = Comes(visit(contact, Kind.PREFERENCES))
    assert (await Preferences(comes).change(Posts(**fields))).status_code == 200
    return [fact.properties for fact in comes.said]


async def test_the_evidence_names_the_address_that_the_word_is_about_and_the_one_that_the_letter_came_to():
    (yes,) = await said_by(on="sms|*")
    assert (yes["evidence"]["to"], yes["evidence"]["by"]) == ("+79160000001", "ann@example.org")
    (no,) = await said_by(was="email|*")
    assert (no["evidence"]["to"], no["evidence"]["by"]) == ("ann@example.org", "ann@example.org")
    (all_off,) = await said_by(all_off="1")
    assert "to" not in all_off["evidence"] and all_off["evidence"]["by"] == "ann@example.org"
