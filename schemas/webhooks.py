"""Webhooks out: endpoints as documents, what a journey sends to one, and the secrets that sign it (docs/webhooks-out.md)."""

import base64
import hmac
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.documents import Document

if TYPE_CHECKING:
    from schemas.connectors import Signs

MOST_BODY = 100_000  # characters of a body's template
MOST_DEPTH = 20
MOST_TEXTS = 200  # of a body: each is rendered under limits of its own
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,100}")
VALUE = re.compile(r"([\x21-\x7e]([\x20-\x7e]{0,1998}[\x21-\x7e])?)?")
# What the sender sets itself, and what belongs to one connection.
OWN_HEADERS = frozenset(
    ("host", "content-length", "content-type", "connection", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive", "expect", "user-agent", "accept-encoding")
)  # fmt: skip
CREDENTIALS = frozenset(("authorization", "proxy-authorization", "cookie"))
EVENT_TYPE = r"^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$"

Name = Annotated[str, Field(min_length=1, max_length=200)]
EventType = Annotated[str, Field(pattern=EVENT_TYPE, max_length=128)]
# A text is Liquid. In an object or a list each text is, and `{"data": "profile.city"}` is a value with the type that it has.
Body = str | dict[str, Any] | list[Any]


def checked_body(value: Any) -> Any:
    """A validator of a field, before it is read."""
    if value is None:
        return None
    if not isinstance(value, str | dict | list):
        raise ValueError("a body is a text, an object or a list")  # noqa: TRY004  (pydantic asks for this one)
    if len(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)) > MOST_BODY:
        raise ValueError(f"a body has at most {MOST_BODY} characters")
    if _depth(value) > MOST_DEPTH:
        raise ValueError(f"a body is nested at most {MOST_DEPTH} deep")
    if sum(is_liquid(text) for _, text in texts(value)) > MOST_TEXTS:
        raise ValueError(f'a body has at most {MOST_TEXTS} texts with Liquid in them: take values as they are by {{"data": ...}}')
    return value


def texts(body: Body | None, path: str = "body") -> Iterator[tuple[str, str]]:
    """Every Liquid text of a body, with its place."""
    if isinstance(body, str):
        yield path, body
    elif isinstance(body, dict) and not is_value(body):
        for name, value in body.items():
            yield from texts(value, f"{path}.{name}")
    elif isinstance(body, list):
        for place, value in enumerate(body):
            yield from texts(value, f"{path}.{place}")


def is_value(node: Any) -> bool:
    """Is it `{"data": "profile.city"}`, a value to be taken as it is?"""
    return isinstance(node, dict) and set(node) == {"data"} and isinstance(node["data"], str)


def is_liquid(text: str) -> bool:
    """Is there anything to render?"""
    return "{{" in text or "{%" in text


def _depth(value: Any) -> int:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, below), default=0)


class WebhookEndpoint(Document):
    """Where a customer's system takes calls. https, and http only where the installation allows it.

    headers: of every call; none that holds a credential, for whoever reads documents reads these. secret_headers: header -> name of one of
    the installation's secrets (`OTKLIK_WEBHOOK_SECRETS`). timeout_s: for the whole call. body: where a step gives none; without one it is
    the envelope of Standard Webhooks. secret_version: another one gives another signing secret; old_secret_version: one that signs too
    while receivers change over.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    brand: str = Field(min_length=1)
    name: str = Field(default="", max_length=200)
    url: str = Field(min_length=1, max_length=2000)
    headers: dict[str, str] = Field(default={}, max_length=20)
    secret_headers: dict[str, Name] = Field(default={}, max_length=5)
    timeout_s: int = Field(default=15, ge=1, le=30, strict=True)
    body: Body | None = None
    content_type: str = Field(default="application/json", pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+(; ?[a-z0-9=-]+)?$", max_length=100)
    secret_version: int = Field(default=1, ge=1, le=1_000_000, strict=True)
    old_secret_version: int | None = Field(default=None, ge=1, le=1_000_000, strict=True)

    _body = field_validator("body", mode="before")(checked_body)

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if fault := url_fault(value):
            raise ValueError(fault)
        return value

    @field_validator("headers", "secret_headers")
    @classmethod
    def _plain(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not HEADER.fullmatch(name):
                raise ValueError(f"{name[:100]!r} is no header's name")
            if name.lower() in OWN_HEADERS or name.lower().startswith("webhook-"):
                raise ValueError(f"{name}: the sender sets this header itself, leave it out")
        if len({name.lower() for name in value}) != len(value):
            raise ValueError("a header stands there twice")
        return value

    @field_validator("headers")
    @classmethod
    def _open(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if name.lower() in CREDENTIALS:
                raise ValueError(f"{name}: a document is read by many: name a secret of the installation in `secret_headers`")
            if not VALUE.fullmatch(text):
                raise ValueError(f"{name}: a value has up to 2000 printable ASCII characters, and no space at either end")
        return value

    @model_validator(mode="after")
    def _whole(self) -> "WebhookEndpoint":
        if {name.lower() for name in self.headers} & {name.lower() for name in self.secret_headers}:
            raise ValueError("headers, secret_headers: one header stands in both")
        if self.old_secret_version == self.secret_version:
            raise ValueError("old_secret_version: it is the current one already, leave it out")
        return self

    def secret_versions(self) -> tuple[int, ...]:
        """Those that sign, the current one first."""
        return (self.secret_version, *((self.old_secret_version,) if self.old_secret_version else ()))


def url_fault(url: str) -> str:
    """What is wrong with an address by its looks, and how to mend it; "" if nothing is. Where it leads to is asked when it is called."""
    if any(character <= " " or character in {"\x7f", "\\"} for character in url):
        return "write an address without spaces, line breaks and backslashes"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return "this is no address: write it like https://crm.example.org/hooks/otklik"
    if parts.scheme not in ("https", "http"):
        return "it must begin with https:// (http:// only where the installation allows it)"
    if not host or port == 0:
        return "it needs a host: write it like https://crm.example.org/hooks/otklik"
    if "@" in parts.netloc:
        return "a name and a password may not stand in it: use `secret_headers`"
    return "what stands behind # is never sent: leave it out" if parts.fragment else ""


class Call(Document):
    """A webhook that tells a manager of somebody. type: of the envelope, else `journey.step`."""

    webhook: str
    type: EventType | None = None
    body: Body | None = None

    _body = field_validator("body", mode="before")(checked_body)


class Recipient(Document):
    """Whose letter it is: the first of these that gives an address. data: of the run's, e.g. event.manager_email, as facts of deals carry
    it; attribute: of the person; address: a fixed one.
    """

    data: str | None = Field(default=None, min_length=1, max_length=400)
    attribute: str | None = Field(default=None, min_length=1, max_length=200)
    address: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)

    @model_validator(mode="after")
    def _some(self) -> "Recipient":
        if self.data is None and self.attribute is None and self.address is None:
            raise ValueError("to: say data, attribute or address")
        return self


class Letter(Document):
    """A service letter to a manager."""

    template: str
    to: Recipient


def secret_of(vault: "Signs", brand: str, key: str, version: int) -> bytes:
    """The signing key (32 bytes) of an endpoint. It follows from the installation's secret, so it is kept nowhere."""
    return hmac.digest(vault.token(f"webhook:{brand}:{key}:{version}").encode(), b"standard webhooks", "sha256")


def shown(secret: bytes) -> str:
    """As receivers are given it."""
    return "whsec_" + base64.b64encode(secret).decode()
