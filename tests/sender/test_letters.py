"""What a letter costs: the links that it has, and no others."""

import msgspec
import pytest

from runtime.poison import Vault
from schemas.definitions import Published
from schemas.permission import Said
from services.sender import domain, letters, links
from services.sender.domain import Contact
from services.sender.letters import Letters
from services.sender.settings import SenderSettings
from tests.schemas.test_surveys import NPS
from tests.sender.live.kit import intent

KEYS = links.Keys(1, {1: b"1" * 32})
CONTACT = Contact(addresses={"email": (1, "ann@example.org")}, words={"shop|email|*": Said(yes=1, asked=2)})
MORE = "{{ unsubscribe_url }} {{ preferences_url }} {{ confirm_url }} {{ chat_start }} {{ survey_url.nps }}"


def document(kind: str, body: dict) -> Published:
    return Published(
        kind=kind, key=body["key"], version=1, body=msgspec.Raw(msgspec.json.encode(body)), pointer=True, received_at=1
    )


def written(text: str, cls: str = "service"):
    """The message of a template, at an installation with fifty surveys of the brand."""
    surveys = [document("survey", {**NPS, "key": key}) for key in ("nps", *(f"nps{n}" for n in range(49)))]
    template = document("template", {"key": "hello", "subject": "Hi", "text": text})
    made = Letters(SenderSettings(public_url="https://go.example"), KEYS, Vault("secret"))
    made._library = letters._build([*surveys, template], 1)
    one, row = intent(1, cls=cls), {"state": msgspec.msgpack.encode(CONTACT), "id": intent(1).profile, "stamp": 0}
    prepared = made.prepare(one, domain.address_key(one, "ann@example.org"), row, one.received_at, 0)
    assert not isinstance(prepared, str), prepared
    return prepared.message


@pytest.mark.parametrize(
    ("text", "cls", "signed"),
    [("hello", "service", 0), ("hello", "triggered", 1), ("{{ unsubscribe_url }}", "mass", 1), ("{{ confirm_url }}{{ confirm_url }}", "service", 1)],
)  # fmt: skip
def test_what_nobody_asks_for_is_not_signed_and_what_is_asked_for_twice_is_signed_once(monkeypatch, text, cls, signed):
    count, sign = [], links.sign
    monkeypatch.setattr(links, "sign", lambda *given: count.append(given) or sign(*given))
    written(text, cls)
    assert len(count) == signed


def test_every_link_is_there_for_who_asks_for_it():
    text = written(MORE, "triggered").text.split()
    assert [one.removeprefix("https://go.example/")[:2] for one in text] == ["u/", "p/", "d/", "__", "s/"]
    assert text[4].startswith("https://go.example/s/nps/")
