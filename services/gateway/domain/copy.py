"""The copy of all that is kept of a person as a page that he can read and print. Pure."""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
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
    "nothing": ("Nothing.", "Ничего."),
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #d0d7de}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}td,th{border-bottom:1px solid #eaeef2;padding:.3rem .6rem .3rem 0;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}th{color:#57606a;font-weight:500;white-space:nowrap}"
    "@media print{body{margin:0;max-width:none}h2{break-after:avoid}}"
)


def page(told: Mapping[str, Any], language: str) -> str:
    """A whole HTML page. told: as the JSON of the copy; language: "en" or "ru"."""
    sections = "".join(
        f"<h2>{_say(name, language)}</h2>{_shown(value, language)}" for name, value in told.items() if name != "made_at"
    )
    title = _say("title", language)
    made = f"<p>{_say('made_at', language)} {_at(told['made_at'])}</p>"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="{language}"><head>{head}</head><body><h1>{title}</h1>{made}{sections}</body></html>'


def _say(name: str, language: str) -> str:
    titles = _TITLES.get(name)
    return html.escape(titles[language == "ru"] if titles else name.replace("_", " "))


def _shown(value: Any, language: str) -> str:
    if value in (None, "", [], {}):
        return f"<p>{_say('nothing', language)}</p>"
    if isinstance(value, Mapping):
        rows = (f"<tr><th>{_say(name, language)}</th><td>{_cell(name, one, language)}</td></tr>" for name, one in value.items())
        return f"<table>{''.join(rows)}</table>"
    if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        return _table(value, language)
    return f"<p>{_cell('', value, language)}</p>"


def _table(rows: Sequence[Mapping[str, Any]], language: str) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{_say(name, language)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(name, row.get(name), language)}</td>' for name in names)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(name: str, value: Any, language: str) -> str:
    if name == "at" or name.endswith("_at"):
        return _at(value)
    if isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(one, Mapping) for one in value)):
        return _shown(value, language) if len(json.dumps(value)) > 200 or name in _TITLES else html.escape(_flat(value))
    if isinstance(value, list):
        return "<br>".join(html.escape(str(one)) for one in value)
    return html.escape("" if value is None else str(value))


def _flat(value: Any) -> str:
    parts: Iterable[str] = (f"{name}: {one}" for name, one in value.items()) if isinstance(value, Mapping) else map(_flat, value)
    return ", ".join(parts)


def _at(value: Any) -> str:
    if not isinstance(value, int):
        return html.escape("" if value is None else str(value))
    return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
