"""The preference centre: a person sees what he gets of a brand, and changes it. GET only shows; POST acts."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.kafka import SendFailed
from runtime.publisher import Full
from schemas.consents import GRANTED, WITHDRAWN
from schemas.facts import Fact
from schemas.permission import ALL, word
from schemas.topics import ADDRESS_KIND
from services.sender import domain
from services.sender.links import Kind
from services.sender.pages import choices, shell
from services.sender.pages.choices import Change, Row
from services.sender.pages.texts import TEXTS, Texts
from services.sender.visitors import Visit, Visitors

MOST = 100_000  # bytes of a form


class Preferences:
    """The paths /p/{token}. A change is answered with 200 when Kafka has it, and a no is in force then."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    def routes(self) -> list[Route]:
        return [
            Route("/p/{token}", self.show, methods=["GET"]),
            Route("/p/{token}", self.change, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, int):
            return shell.gone(shell.language_of(request), visit)
        return _page(visit, "")

    async def change(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, int):
            return shell.gone(shell.language_of(request), visit)
        form = await shell.form_of(request, MOST)
        texts = TEXTS[visit.language]
        if form is None:
            return shell.page(visit.language, texts.preferences, f"<p>{escape(texts.unchanged)}</p>", 413, brand=visit.brand)
        offered = _rows(visit)
        all_off = "all_off" in form
        said = [Change(ALL, ALL, granted=False)] if all_off else choices.changes(offered, form.get("was", ()), form.get("on", ()))
        # A yes of the same go comes a millisecond after the noes: in the same one they would count against it.
        later = any(not change.granted for change in said)
        facts = [_word(visit, change, visit.now + (change.granted and later)) for change in said]
        await self._visitors.forbid(visit.person, [fact for fact in facts if fact.event == WITHDRAWN])
        try:
            await self._visitors.tell(facts)
        except (SendFailed, Full):
            return shell.try_again(visit.language, texts.preferences)
        for fact in facts:
            domain.hear(visit.known, *word(fact))
        return _page(visit, texts.is_off if all_off else texts.saved if facts else texts.unchanged)

    async def _visit(self, request: Request) -> Visit | int:
        """Of somebody without an address nothing can be shown: he was erased, or it is another one's by now."""
        visit = await self._visitors.somebody(request, Kind.PREFERENCES, expires=True)
        return 410 if isinstance(visit, Visit) and not _channels(visit) else visit


def _channels(visit: Visit) -> list[str]:
    return [channel for channel in ADDRESS_KIND if domain.address_of(visit.known, channel)]


def _rows(visit: Visit) -> list[Row]:
    return choices.rows(visit.subjects, visit.intent.brand, visit.known.words, _channels(visit), visit.language, visit.now)


def _word(visit: Visit, change: Change, at: int) -> Fact:
    """What he said at an instant (ms), with what he was shown."""
    texts = TEXTS[visit.language]
    lead = shell.filled(texts.preferences_lead, visit.brand)
    wording = f"{lead} {texts.all_off}"
    if change.channel != ALL:
        wording = f"{lead} {choices.whole_label(visit.subjects, change.topic, visit.language)} ({texts.channels[change.channel]})"
    said = {
        "channel": change.channel,
        "topic": change.topic,
        "text_id": "preferences",
        "text_sha256": choices.sha256(wording),
        "language": visit.language,
        "evidence": {"page": "/p/", "message": visit.intent.id, **_addresses(visit, change), "wording": wording},
    }
    event = GRANTED if change.granted else WITHDRAWN
    return visit.said(event, "preferences", f"{change.channel}|{change.topic}:{at}:{change.granted}", said, at)


def _addresses(visit: Visit, change: Change) -> dict[str, str]:
    """to: of the channel that the word is about, none of all of them; by: to which the letter came whose link he used."""
    to = domain.address_of(visit.known, change.channel) if change.channel != ALL else None
    return {**({"to": to} if to else {}), "by": visit.to}


def _page(visit: Visit, note: str) -> Response:
    texts, rows, channels = TEXTS[visit.language], _rows(visit), _channels(visit)
    owned = [(channel, domain.address_of(visit.known, channel) or "") for channel in channels]
    to = ", ".join(f"{texts.channels[channel]}: {shell.masked(channel, address)}" for channel, address in owned)
    body = (
        (f'<p class="note" role="status">{escape(note)}</p>' if note else "")
        + f'<p>{escape(shell.filled(texts.preferences_lead, visit.brand))}<br><span class="hint">{escape(to)}</span></p>'
        + f'<form method="post" action="?lang={visit.language}">{_list(rows, texts, channels)}'
        + (f'<p class="hint">{escape(texts.tree_hint)}</p>' if len(rows) > 1 else "")
        + f"<button>{escape(texts.save)}</button>"
        + f'<button class="quiet" name="all_off" value="1">{escape(texts.all_off)}</button></form>'
    )
    return shell.page(visit.language, texts.preferences, body, brand=visit.brand)


def _list(rows: Sequence[Row], texts: Texts, channels: Sequence[str]) -> str:
    """The tree as nested lists, so that it is one to a screen reader too."""
    made = ["<ul>"]
    for row, following in pairwise([*rows, None]):
        assert row is not None
        after = following.depth if following else 0
        made.append(f"<li>{_row(row, texts, channels)}")
        made.append("<ul>" if after > row.depth else "</li>" + "</ul></li>" * (row.depth - after))
    return "".join(made) + "</ul>"


def _row(row: Row, texts: Texts, channels: Sequence[str]) -> str:
    boxes = [_box(row, channel, row.label if len(channels) == 1 else texts.channels[channel]) for channel in channels]
    if len(boxes) == 1:
        return f'<div class="row">{boxes[0]}</div>'
    return (
        f'<div class="row" role="group" aria-label="{escape(row.label)}"><span>{escape(row.label)}</span>'
        f'<div class="ways">{"".join(boxes)}</div></div>'
    )


def _box(row: Row, channel: str, text: str) -> str:
    """A checkbox, and where it is ticked a note that it was: a change is what differs from what he was shown."""
    name, on = escape(choices.box(channel, row.topic)), row.on[channel]
    was = f'<input type="hidden" name="was" value="{name}">' if on else ""
    return f'{was}<label><input type="checkbox" name="on" value="{name}"{" checked" if on else ""}>{escape(text)}</label>'
