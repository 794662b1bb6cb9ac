"""What people do with a letter: they look at it, and follow its link. What follows from it has happened when the shop settles next."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.support.shop import Shop


async def by_reader(shop: Shop) -> dict[tuple[str, str], Mapping[str, Any]]:
    """(whom, subject) -> letter, of those that came since the last look."""
    mails = await shop.mails()
    letters = await asyncio.gather(*(shop.letter(mail) for mail in mails))
    return {(mail["to"][0].partition("@")[0], mail["subject"]): letter for mail, letter in zip(mails, letters, strict=True)}


async def opened(shop: Shop, letters: Iterable[Mapping[str, Any]]) -> None:
    """Their pictures are shown."""
    await _asked(shop, letters, "o", 200)


async def clicked(shop: Shop, letters: Iterable[Mapping[str, Any]]) -> None:
    """The first link of each is followed."""
    await _asked(shop, letters, "c", 302)


async def _asked(shop: Shop, letters: Iterable[Mapping[str, Any]], kind: str, status: int) -> None:
    for letter in letters:
        found = re.search(rf"/{kind}/[A-Za-z0-9_-]{{42}}", letter["html"])
        assert found, letter["html"]
        answer = await shop.installation.public.get(found[0], follow_redirects=False)
        assert answer.status_code == status, answer.text
