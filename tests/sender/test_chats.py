"""What is particular to messengers: links in plain text and behind buttons, and somebody who comes back to a bot."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.bots import Shown
from schemas.facts import Fact
from schemas.messages import Intent
from services.sender import domain
from services.sender.domain import Contact
from services.sender.links import Keys, Kind, read, track_chat

ID, BASE = "6f1d3c5e-0b55-5c0e-9d0b-0a7f6b1f2a11", "https://go.shop.example"
KEYS = Keys(1, {1: b"1" * 32})


def tracked(text, *buttons):
    return track_chat(text, buttons, BASE, ID, KEYS)


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("See https://shop.example/a?b=1&c=2.", ["https://shop.example/a?b=1&c=2"]),
        ("(https://shop.example/a), «http://x.example/б»!", ["https://shop.example/a", "http://x.example/б"]),
        ("HTTPS://SHOP.EXAMPLE/", ["HTTPS://SHOP.EXAMPLE/"]),
        (f"{BASE}/u/token and mailto:a@x.example and shop.example", []),
        ("https://", []),
        ("https:// https://(a) https://.", []),
        ("https://ru.wikipedia.org/wiki/Отклик_(физика).", ["https://ru.wikipedia.org/wiki/Отклик_(физика)"]),
        ("(see https://x.example/a_(b_(c))?d=(e))!", ["https://x.example/a_(b_(c))?d=(e)"]),
        ("https://x.example/a)b https://x.example/a(b", ["https://x.example/a", "https://x.example/a"]),
        ("(https://a.example/)(https://b.example/)", ["https://a.example/", "https://b.example/"]),
        ("https://a.example/ https://a.example/", ["https://a.example/", "https://a.example/"]),
    ],
)
def test_the_links_of_a_text(text, targets):
    said, _, found = tracked(text)
    assert list(found) == targets
    for number, target in enumerate(targets):
        token = said.split(f"{BASE}/c/")[number + 1][:42]
        assert read(token, KEYS).kind is Kind.CLICK and read(token, KEYS).number == number
        assert target not in said or target in "".join(targets[:number])


def test_what_is_around_a_link_stays():
    said, _, _ = tracked("Look: https://shop.example/a, then answer.")
    assert said.startswith(f"Look: {BASE}/c/") and said.endswith(", then answer.")


def test_buttons_are_counted_behind_the_text_and_presses_stay():
    text, buttons, targets = tracked("https://a.example/", Shown("Yes", "s:quiz"), Shown("Site", url="https://b.example/"))
    assert targets == ("https://a.example/", "https://b.example/") and buttons[0] == Shown("Yes", "s:quiz")
    link = read(buttons[1].url.removeprefix(f"{BASE}/c/"), KEYS)
    assert (link.kind, link.number, text.count("/c/")) == (Kind.CLICK, 1, 1)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_a_text_without_links_is_as_it_was(text):
    said, _, targets = tracked(text)
    assert targets or said == text


def reply(channel="telegram"):
    return Intent(
        id="i", brand="shop", profile="p", channel=channel, message_class="service", template="bot:b", template_version=1,
        document="bot:b", version=1, step="menu", occurrence="o", not_after=0, received_at=0,
    )  # fmt: skip


def does(event, at, chat="77", source="bot.b", channel="telegram"):
    said = {"bot": "b", "channel": channel}
    kind = f"{channel}_id"
    return Fact(
        id="f", type="track", event=event, brand="shop", source=source, occurred_at=at, received_at=at,
        identifiers=(f"{kind}:{chat}",), properties=said,
    )  # fmt: skip


def blocked(reason="blocked_by_user"):
    contact = Contact(addresses={"telegram_id": (1, "77")})
    domain.suppress(contact, "telegram", "77", reason, 10)
    assert domain.forbids(contact, reply(), 0) == f"suppressed:{reason}"
    return contact


@pytest.mark.parametrize("event", ["Bot Started", "Bot Message", "Bot Button", "Bot Unblocked"])
def test_who_blocked_the_bot_and_comes_back_is_answered(event):
    contact = blocked()
    assert not domain.learn(contact, does(event, 9)), "it forbids nothing"
    assert domain.forbids(contact, reply(), 0) == "suppressed:blocked_by_user", "that was before he blocked it"
    domain.learn(contact, does(event, 11))
    assert domain.forbids(contact, reply(), 0) is None


def test_other_reasons_and_other_peoples_words_lift_nothing():
    for contact, fact in (
        (blocked("permanent_address"), does("Bot Message", 11)),
        (blocked(), does("Bot Message", 11, source="site")),
        (blocked(), does("Bot Message", 11, chat="78", channel="vk")),
    ):
        domain.learn(contact, fact)
        assert domain.forbids(contact, reply(), 0).startswith("suppressed:")


def test_he_is_written_to_in_the_chat_in_which_he_wrote_last():
    contact = Contact(addresses={"telegram_id": (1, "77")}, lost=["telegram_id:79"])
    domain.learn(contact, does("Bot Message", 5, chat="78"))
    domain.learn(contact, does("Bot Message", 3, chat="77"))
    domain.learn(contact, does("Bot Message", 9, chat="79"))
    assert domain.address_of(contact, "telegram") == "78"
    domain.learn(contact, does("Bot Started", 5, chat="88", channel="vk"))
    assert domain.address_of(contact, "vk") == "88"
