"""Which opens and clicks are no person's."""

import pytest

from services.sender.links import Kind
from services.sender.machines import is_machine

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
        (Kind.CLICK, "Cubot Note 9", False),
    ],
)
def test_who_names_itself_a_program_is_one(kind, agent, machine):
    assert is_machine(kind, agent) is machine
