"""Which opens and clicks are no person's."""

from dataclasses import replace

import pytest

from schemas.facts import decode
from services.sender.domain import Contact
from services.sender.links import Kind
from services.sender.machines import is_machine
from services.sender.public import Public
from services.sender.visitors import Visitors
from tests.sender.visiting import NOBODY_KNOWS, Comes, visit

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize(
    ("kind", "agent", "machine"),
    [
        (Kind.OPEN, "Mozilla/5.0", True),
        (Kind.CLICK, "Mozilla/5.0", False),
        (Kind.OPEN, PHONE, False),
        (Kind.OPEN, PROXY, False),
        (Kind.CLICK, "python-httpx/0.28", False),
        (Kind.CLICK, "", False),
        (Kind.CLICK, "Mozilla/5.0 (X11) HeadlessChrome/140.0", True),
        (Kind.CLICK, "Barracuda Sentinel (EE)", True),
        (Kind.CLICK, "Mozilla/5.0 (compatible; Googlebot/2.1)", True),
        (Kind.CLICK, "Mozilla/5.0 (Linux; Android 9; CUBOT_NOTE_S) AppleWebKit/537.36", False),
        (Kind.CLICK, "Cubot Note 9", False),
        (Kind.CLICK, "TelegramBot (like TwitterBot)", True),
        (Kind.CLICK, "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)", True),
        (Kind.CLICK, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", True),
        (Kind.CLICK, "Twitterbot/1.0", True),
        (Kind.CLICK, "WhatsApp/2.23.20.0", True),
        (Kind.CLICK, "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", True),
        (Kind.CLICK, "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", True),
        (Kind.CLICK, "Mozilla/5.0 (compatible; Mail.RU_Bot/2.0)", True),
        (Kind.CLICK, "Kaspersky Lab link check", True),
        (Kind.CLICK, f"{PHONE} KasperskySafeBrowser/1.0", False),
        (Kind.CLICK, f"{PHONE} [FBAN/FBIOS;FBAV/440.0]", False),
        (Kind.CLICK, "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0 bottle", False),
    ],
)
def test_who_names_itself_a_program_is_one(kind, agent, machine):
    assert is_machine(kind, agent) is machine


async def test_what_a_machine_did_goes_by_the_second_lane_and_under_a_name_of_its_own():
    """So that it holds up nobody, and does not stand in for the open of the person, which may come later."""
    sent = []

    class Publisher:
        async def publish(self, made):
            sent.extend(made)

    visitors = Visitors(None, Publisher(), None, None, 4)
    for agent in ("Mozilla/5.0", PHONE):
        comes = Comes(replace(visit(Contact(), Kind.OPEN), agent=agent))
        await Public(comes).open(NOBODY_KNOWS)
        await visitors.tell(comes.said)
    facts = [decode(one.value) for one in sent]
    assert [one.topic for one in sent] == ["facts.raw.bulk", "facts.raw"]
    assert [fact.properties.get("machine") for fact in facts] == [True, None]
    assert facts[0].id != facts[1].id
