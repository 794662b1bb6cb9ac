"""A letter tried on some people before it is sent, and the gate of a launch."""

import contextlib

import msgspec
import pytest

from runtime.poison import Vault
from schemas.messages import Intent
from schemas.permission import Said
from services.sender import domain, letters, trials
from services.sender.domain import Contact
from services.sender.letters import Letters, Shut
from services.sender.settings import SenderSettings
from tests.sender.live.kit import intent
from tests.sender.test_letters import KEYS, document

YES = {"shop|email|*": Said(yes=1)}


def row(words=None, **attributes) -> dict:
    contact = Contact(
        addresses={"email": (1, "ann@example.org")}, words=words or {}, attributes={n: (1, v) for n, v in attributes.items()}
    )
    return {"state": msgspec.msgpack.encode(contact), "id": intent(1).profile, "stamp": 0}


def made(*documents) -> Letters:
    found = Letters(SenderSettings(public_url=HERE), KEYS, Vault("secret"))
    found._library, found._gates = letters._build(documents, 1), letters._gates(documents)
    return found


HERE = "https://go.example"


async def tried(html: str, *rows) -> dict:
    template = document("template", {"key": "hello", "subject": "Hi", "html": html})
    asked = trials.Asked(msgspec.structs.replace(intent(1, cls="mass"), template="hello"), [])
    survey = document("survey", {"key": "q", "brand": "shop"})
    return await trials.tried(made(template, survey), asked, rows, 10, HERE)


async def test_what_is_missing_forbidden_too_large_and_linked_is_counted_and_nothing_of_a_person_is_told():
    html = '<p>{{ profile.name }} {{ event.total }}</p><a href="https://shop.example/x?a=1&amp;b=2">x</a>'
    found = await tried(html, row(YES, name="Ann"), row(name="Bob"), None)
    assert found["people"] == 3 and found["forbidden"] == {"consent": 1, "no_address": 1} and found["faults"] == {}
    assert found["missing"] == {"event.total": 2}
    assert found["links"] == ["https://shop.example/x?a=1&b=2"] and not found["unsubscribes"]
    assert found["bytes"] == len(html.replace("{{ profile.name }} {{ event.total }}", "Ann "))
    assert "Ann" not in str(found) and "ann@" not in str(found)


@pytest.mark.parametrize(
    ("href", "no", "links"),
    [
        ("{{ unsubscribe_url }}", True, []),
        ("{{ preferences_url }}", True, []),
        ("{{ attend_url }}", False, []),
        ("{{ confirm_url }}", False, []),
        ("{{ survey_url.q }}", False, []),
        ("https://shop.example/p/123", False, ["https://shop.example/p/123"]),
        ("https://shop.example/u/", False, ["https://shop.example/u/"]),
        ("https://go.example.thief.example/u/1", False, ["https://go.example.thief.example/u/1"]),
        ("https://go.example/help", False, ["https://go.example/help"]),
    ],
)
async def test_a_way_to_say_no_is_a_link_of_ours_and_of_others_none_looks_like_it(href: str, no: bool, links: list[str]):
    found = await tried(f'<a href="{href}">x</a>', row(YES, name="Ann"))
    assert (found["unsubscribes"], found["links"], found["missing"], found["faults"]) == (no, links, {}, {})


async def test_links_that_stand_in_the_template_as_they_are_are_told_apart_from_those_made_for_somebody():
    html = '<a href="https://shop.example/a?x=1&amp;y=2">x</a><a href="https://shop.example/{{ profile.name }}">y</a>'
    found = await tried(html, row(YES, name="a"))
    assert found["links"] == ["https://shop.example/a", "https://shop.example/a?x=1&y=2"]
    assert found["fixed"] == ["https://shop.example/a?x=1&y=2"]


async def test_a_template_that_was_just_published_is_waited_for_and_then_said_to_be_on_its_way():
    class Coming:
        """Letters to whom the template comes when they look for the third time."""

        def __init__(self, whole: Letters, never: Letters) -> None:
            self.looks, self.whole, self.never = 0, whole, never

        async def current(self, _connection) -> Letters:
            self.looks += 1
            return self.whole if self.looks >= 3 else self.never

    wanted = msgspec.structs.replace(intent(1, cls="mass"), template="hello", template_version=1)
    whole, empty = made(document("template", {"key": "hello", "subject": "Hi", "html": "x"})), made()
    coming = Coming(whole, empty)
    assert await trials.known(NoDatabase(), lambda: coming, wanted, trials.PATIENCE_S) is whole
    never = Coming(empty, empty)
    assert await trials.known(NoDatabase(), lambda: never, wanted, 0) is empty
    found = await trials.tried(empty, trials.Asked(wanted, []), [row(YES), row(YES)], 10, HERE)
    assert (found["faults"], found["people"], found["forbidden"]) == ({"not_there_yet": 2}, 2, {})


class NoDatabase:
    @contextlib.asynccontextmanager
    async def connection(self):
        yield None


async def test_each_of_them_must_have_it():
    html = '{% if profile.name %}<a href="{{ unsubscribe_url }}">x</a>{% endif %}'
    assert (await tried(html, row(YES, name="Ann")))["unsubscribes"]
    assert not (await tried(html, row(YES, name="Ann"), row(YES)))["unsubscribes"]


def test_it_is_tried_on_some_people_and_not_on_all():
    def asked(people: int) -> bytes:
        return msgspec.json.encode({"intent": intent(1), "people": ["x"] * people})

    assert len(trials._asked(asked(trials.MOST)).people) == trials.MOST
    with pytest.raises(msgspec.DecodeError):
        trials._asked(asked(trials.MOST + 1))


def test_nobody_has_it_wait_longer_than_its_own_patience():
    one = {"intent": intent(1), "people": []}
    assert trials._asked(msgspec.json.encode(one)).wait_s == trials.PATIENCE_S
    assert trials._asked(msgspec.json.encode({**one, "wait_s": 0})).wait_s == 0
    for wrong in (-1, trials.PATIENCE_S + 1):
        with pytest.raises(msgspec.DecodeError):
            trials._asked(msgspec.json.encode({**one, "wait_s": wrong}))


@pytest.mark.parametrize(("state", "verdict"), [("running", None), ("paused", "paused"), ("stopped", "stopped")])
def test_what_belongs_to_a_launch_that_does_not_go_on_does_not_go(state: str, verdict: str | None):
    one: Intent = intent(1, cls="mass")
    launch = document("launch", {"key": one.occurrence, "state": state})
    template = document("template", {"key": one.template, "subject": "Hi", "text": "hello"})
    library = made(launch, template)
    found = library.prepare(one, domain.address_key(one, "ann@example.org"), row(YES), one.received_at, 0)
    assert (found.state if isinstance(found, Shut) else None) == verdict
    assert library.shut(one) == (Shut(0, state) if verdict else None), "one that waits with its provider is asked after by this"
    other = msgspec.structs.replace(one, occurrence=intent(2).occurrence)
    assert library.shut(other) is None
