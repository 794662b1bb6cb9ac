"""The catcher's pages and its JSON. All of a mail is escaped; its HTML is shown without scripts or our origin."""

from datetime import UTC, datetime
from html import escape
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse, Response

from deploy.local.catcher.letter import decoded, read
from deploy.local.catcher.store import Entry, MailStore

POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:",
    "X-Content-Type-Options": "nosniff",
}
STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;
vertical-align:top;overflow-wrap:anywhere}iframe{width:100%;height:70vh;border:1px solid #ddd}
pre{white-space:pre-wrap;background:#f6f6f6;padding:1rem}"""
PER_PAGE = 100


def application(store: MailStore) -> FastAPI:
    """`/`, `/mails/{id}`, `/mails/{id}/raw`, `/api/mails`, `/api/mails/{id}`, `/livez`, `/readyz`."""
    app = FastAPI(title="Otklik mail catcher", docs_url=None, redoc_url=None)

    def found(number: int) -> Entry:
        if entry := store.entry(number):
            return entry
        raise HTTPException(404, f"there is no mail {number}; the last one is {len(store)}")

    @app.get("/livez")
    @app.get("/readyz")
    async def ready() -> dict[str, int]:
        return {"mails": len(store)}

    @app.get("/api/mails")
    async def mails(after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=10_000)] = 100) -> dict[str, Any]:
        return {"total": len(store), "mails": [_summary(entry) for entry in store.after(after, limit)]}

    @app.get("/api/mails/{number}")
    async def mail(number: int) -> dict[str, Any]:
        entry = found(number)
        letter = read(store.content(entry))
        attachments = [{"name": name, "type": kind, "size": size} for name, kind, size in letter.attachments]
        body = {"headers": letter.headers, "text": letter.text, "html": letter.html, "attachments": attachments}
        return {**_summary(entry), **body}

    @app.get("/")
    async def listing(before: int | None = None) -> HTMLResponse:
        last = len(store) if before is None else min(before - 1, len(store))
        return _page("Mails", _listing(store, last))

    @app.get("/mails/{number}")
    async def view(number: int) -> HTMLResponse:
        entry = found(number)
        return _page(decoded(entry.subject) or "(no subject)", _view(entry, store.content(entry)))

    @app.get("/mails/{number}/raw")
    async def raw(number: int) -> Response:
        return Response(store.content(found(number)), media_type="text/plain; charset=utf-8", headers=POLICY)

    return app


def _summary(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at,
        "from": entry.sender,
        "to": list(entry.to),
        "subject": decoded(entry.subject),
        "message_id": entry.message_id,
    }


def _page(title: str, body: str) -> HTMLResponse:
    head = f'<head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head>'
    return HTMLResponse(f"<!doctype html><html lang='en'>{head}<body><h1>{escape(title)}</h1>{body}</body></html>", headers=POLICY)


def _listing(store: MailStore, last: int) -> str:
    first = max(last - PER_PAGE, 0)
    rows = "".join(_line(entry) for entry in reversed(store.after(first, last - first)))
    older = f'<p><a href="/?before={first + 1}">older</a></p>' if first else ""
    count = f"<p>{len(store)} caught. Nothing leaves this machine.</p>"
    return f"{count}<table><tr><th>at (UTC)</th><th>to</th><th>subject</th></tr>{rows}</table>{older}"


def _line(entry: Entry) -> str:
    subject = escape(decoded(entry.subject) or "(no subject)")
    link = f'<a href="/mails/{entry.id}">{subject}</a>'
    return f"<tr><td>{_time(entry.at)}</td><td>{escape(', '.join(entry.to))}</td><td>{link}</td></tr>"


def _view(entry: Entry, content: bytes) -> str:
    letter = read(content)
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in letter.headers)
    envelope = f"<p>{_time(entry.at)} UTC, from {escape(entry.sender)} to {escape(', '.join(entry.to))}</p>"
    # No scripts and no origin for the mail; its links may open, in tabs of their own.
    document = escape(f'<base target="_blank">{letter.html}')
    frame = f'<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="{document}"></iframe>' if letter.html else ""
    text = f"<h2>Text</h2><pre>{escape(letter.text)}</pre>" if letter.text else ""
    files = "".join(f"<li>{escape(f'{name} ({kind}, {size} bytes)')}</li>" for name, kind, size in letter.attachments)
    links = f'<p><a href="/">all mails</a> <a href="/mails/{entry.id}/raw">source</a></p>'
    return f"{links}{envelope}{frame}{text}{f'<ul>{files}</ul>' if files else ''}<h2>Headers</h2><table>{rows}</table>"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
