"""The shell of every page: no script, nothing from elsewhere, nobody may frame it, nothing of it is kept or told on."""

import base64
import hashlib
from functools import lru_cache
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.sender.pages.texts import TEXTS

MOST_FIELDS = 1_000  # of a form

STYLE = """
:root{color-scheme:light dark;--edge:#8884;--ink:#1769c2}
*{box-sizing:border-box}
body{font:17px/1.5 system-ui,sans-serif;max-width:38rem;margin:0 auto;padding:1.5rem 1rem 3rem;overflow-wrap:anywhere}
header{display:flex;justify-content:space-between;gap:1rem;color:GrayText;font-size:.9rem}
h1{font-size:1.6rem;line-height:1.25;margin:1.5rem 0 .5rem}
p{margin:.5rem 0 1rem}
.note{padding:.75rem 1rem;border-left:4px solid var(--ink);background:#8881}
.hint{color:GrayText;font-size:.9rem}
ul{list-style:none;margin:0;padding:0}
ul ul{padding-left:1.4rem}
.row{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem;border-bottom:1px solid var(--edge)}
.row>span{padding:.6rem 0;flex:1 1 8rem}
li:has(>ul)>.row{font-weight:600}
label{display:flex;align-items:center;gap:.6rem;min-height:2.9rem;cursor:pointer}
.row>label:only-child{flex:1}
input[type=checkbox]{width:1.3rem;height:1.3rem;flex:none;accent-color:var(--ink)}
.ways{display:flex;flex-wrap:wrap;gap:0 1.2rem;font-weight:400;font-size:.95rem}
.list{list-style:disc;padding-left:1.4rem}
button{font:inherit;width:100%;min-height:3rem;margin-top:1rem;border-radius:.5rem;border:1px solid var(--ink);cursor:pointer;
background:var(--ink);color:#fff}
button.quiet{background:transparent;color:inherit;border-color:var(--edge)}
a{color:var(--ink)}
@media(prefers-color-scheme:dark){:root{--ink:#4a97e8}button{color:#000}}
"""
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def language_of(request: Request, known: object = None, otherwise: str = "en") -> str:
    """The language that he chose on the page, else the one known of him, else the one his browser likes best, else the brand's."""
    wanted = (request.query_params.get("lang"), known, *_accepted(request.headers.get("accept-language", "")), otherwise)
    names = [str(name).lower().replace("_", "-").partition("-")[0] for name in wanted if name]
    return next((name for name in names if name in TEXTS), "en")


def _accepted(header: str) -> list[str]:
    """The tags of an Accept-Language header, the best liked first."""
    liked = []
    for place, part in enumerate(header.split(",")[:20]):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.partition("=")[2]) if weight else 1.0
        except ValueError:
            continue
        if quality > 0:
            liked.append((-quality, place, tag.strip()))
    return [tag for _, _, tag in sorted(liked)]


def page(
    language: str, title: str, body: str, status: int = 200, *, brand: str = "", headers: dict[str, str] | None = None
) -> HTMLResponse:
    """A whole page with a link to the same one in the other language. body: HTML; title and brand: text."""
    other = next(name for name in TEXTS if name != language)
    head = f'<header><span>{escape(brand)}</span><a href="?lang={other}" lang="{other}">{TEXTS[language].other}</a></header>'
    return whole(language, title, f"{head}<main><h1>{escape(title)}</h1>{body}</main>", status, headers=headers)


def whole(
    language: str, title: str, body: str, status: int = 200, *, style: str = "", headers: dict[str, str] | None = None
) -> HTMLResponse:
    """A page of which the body is all given. style: beside that of every page."""
    styles = STYLE + style
    policy = f"default-src 'none'; style-src 'sha256-{_hash(styles)}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    text = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><title>{escape(title)}</title><style>{styles}</style></head>'
        f"<body>{body}</body></html>"
    )
    return HTMLResponse(text, status, headers={"Content-Security-Policy": policy, **HEADERS, **(headers or {})})


@lru_cache(8)
def _hash(styles: str) -> str:
    return base64.b64encode(hashlib.sha256(styles.encode()).digest()).decode()


def gone(language: str, status: int) -> HTMLResponse:
    """A link that acts on nobody. 404: it is none of ours; 410: it was one, and is over."""
    texts = TEXTS[language]
    title, more = (texts.expired, texts.expired_more) if status == 410 else (texts.gone, texts.gone_more)
    return page(language, title, f"<p>{escape(more)}</p>", status)


def try_again(language: str, title: str) -> HTMLResponse:
    """Kafka did not take it: nothing is lost, as nothing was promised."""
    return page(language, title, f'<p class="note">{escape(TEXTS[language].again)}</p>', 503, headers={"Retry-After": "5"})


def button(text: str) -> str:
    return f'<form method="post"><button>{escape(text)}</button></form>'


def masked(channel: str, address: str) -> str:
    """As much of an address as its owner needs to know it by."""
    if channel == "email":
        local, _, domain = address.rpartition("@")
        host, _, zone = domain.rpartition(".")
        return f"{local[:1]}•••@{host[:1]}•••.{zone}"
    return f"•••{address[-2:]}"


def filled(text: str, brand: str, to: str = "") -> str:
    """A text with its blanks filled in."""
    return text.replace("{brand}", brand).replace("{to}", to)


async def form_of(request: Request, most: int) -> dict[str, list[str]] | None:
    """The fields of a form of up to `most` bytes; None for one that is none of ours."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            return None
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return None
