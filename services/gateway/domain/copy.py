"""The copy of all that is kept of a person as a page that he can read and print. Pure."""

import html
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_TITLES: Mapping[str, tuple[str, str]] = {
    "title": ("What is kept about you", "Что о вас хранится"),
    "made_at": ("Made on", "Составлено"),
    "profile": ("Who you are here", "Кто вы для нас"),
    "identifiers": ("Identifiers", "Идентификаторы"),
    "attributes": ("Attributes", "Сведения"),
    "merged": ("Records that were found to be yours", "Записи, признанные вашими"),
    "first_received_at": ("First heard of", "Первое обращение"),
    "bucketing_id": ("Number for fair splitting of tests", "Номер для честного деления в тестах"),
    "consents": ("Consents and refusals", "Согласия и отказы"),
    "segmenter": ("Groups in which you are", "Группы, в которых вы состоите"),
    "orchestrator": ("Chains of messages under way", "Идущие цепочки сообщений"),
    "sender": ("Messages", "Сообщения"),
    "timeline": ("What happened, newest first", "Что происходило, новое сверху"),
    "decisions": ("What was decided about writing to you, newest first", "Что решалось о сообщениях вам, новое сверху"),
    "nothing": ("Nothing.", "Ничего."),
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #d0d7de}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}td,th{border-bottom:1px solid #eaeef2;padding:.3rem .6rem .3rem 0;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}th{color:#57606a;font-weight:500;white-space:nowrap}"
    "@media print{body{margin:0;max-width:none}h2{break-after:avoid}}"
)


# What others named: nothing within is an instant or a title of ours, whatever it is called.
_GIVEN = frozenset(("attributes", "properties", "context", "data", "answers", "terms", "proof", "detail"))
_LATEST = 253_402_300_799_999  # ms, the end of the year 9999
_WIDE = 200  # characters of JSON that are a table and not a line


def page(told: Mapping[str, Any], language: str) -> str:
    """A whole HTML page. told: as the JSON of the copy; language: "en" or "ru"."""
    sections = "".join(
        f"<h2>{_say(name, language)}</h2>{_shown(value, language, name not in _GIVEN)}"
        for name, value in told.items()
        if name != "made_at"
    )
    title = _say("title", language)
    made = f"<p>{_say('made_at', language)} {_at(told['made_at'])}</p>"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="{language}"><head>{head}</head><body><h1>{title}</h1>{made}{sections}</body></html>'


def _say(name: str, language: str) -> str:
    titles = _TITLES.get(name)
    return html.escape(titles[language == "ru"] if titles else name.replace("_", " "))


def _named(name: str, language: str, ours: bool) -> str:
    return _say(name, language) if ours else html.escape(name)


def _shown(value: Any, language: str, ours: bool) -> str:
    """ours: are the names within ours, or what others called what they know of him?"""
    if value in (None, "", [], {}):
        return f"<p>{_say('nothing', language)}</p>"
    if isinstance(value, Mapping):
        rows = (
            f"<tr><th>{_named(name, language, ours)}</th><td>{_cell(name, one, language, ours)}</td></tr>"
            for name, one in value.items()
        )
        return f"<table>{''.join(rows)}</table>"
    if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        return _table(value, language, ours)
    items = value if isinstance(value, list) else [value]
    return f"<p>{'<br>'.join(_cell('', one, language, ours) for one in items)}</p>"


def _table(rows: Sequence[Mapping[str, Any]], language: str, ours: bool) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{_named(name, language, ours)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(name, row.get(name), language, ours)}</td>' for name in names)}</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(name: str, value: Any, language: str, ours: bool) -> str:
    if ours and _is_instant(name):
        return html.escape(_at(value))
    titled, ours = ours and name in _TITLES, ours and name not in _GIVEN
    if isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(one, Mapping) for one in value)):
        wide = titled or len(json.dumps(value)) > _WIDE
        return _shown(value, language, ours) if wide else html.escape(_flat(value, ours))
    if isinstance(value, list):
        return "<br>".join(html.escape(_flat(one, ours)) for one in value)
    return html.escape(_flat(value, ours))


def _flat(value: Any, ours: bool) -> str:
    """In one line."""
    if isinstance(value, Mapping):
        pairs = (
            (name, _at(one) if ours and _is_instant(name) else _flat(one, ours and name not in _GIVEN))
            for name, one in value.items()
        )
        return ", ".join(f"{name}: {one}" for name, one in pairs)
    if isinstance(value, list):
        return ", ".join(_flat(one, ours) for one in value)
    return "" if value is None else str(value)


def _is_instant(name: str) -> bool:
    return name == "at" or name.endswith("_at")


def _at(value: Any) -> str:
    if type(value) is not int or not 0 <= value <= _LATEST:
        return _flat(value, False)
    return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
