"""What is told about a person to somebody else: a customer's system by a webhook, a manager by a letter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from runtime.db import Connection
from runtime.definitions import Definitions
from schemas.connectors import Signs
from schemas.definitions import Published
from schemas.messages import Intent
from schemas.topics import ADDRESS_KIND
from schemas.webhooks import Body, Call, Letter, Recipient, WebhookEndpoint, secret_of
from services.sender import domain, store
from services.sender.channels.addresses import AddressError, mailbox
from services.sender.channels.contract import Rendered
from services.sender.content.bodies import TOO_DEEP, Compiled, compile_body, render_body, taken
from services.sender.content.templates import TemplateFault
from services.sender.domain import Contact
from services.sender.settings import SenderSettings

Name = tuple[str, int, str]  # of a step: journey, version, id


class Mailbox(NamedTuple):
    """Of a manager."""

    address: str


class _Step(msgspec.Struct):
    """A step of a journey, as far as it tells something to others; of other steps these fields may hold anything."""

    id: str
    webhook: Any = None
    type: Any = None
    body: Any = None
    hand: Any = None


class _Steps(msgspec.Struct):
    steps: list[_Step]


_steps = msgspec.json.Decoder(_Steps).decode


@dataclass(frozen=True, slots=True)
class Saying:
    """What a step says to an endpoint. type: of the envelope."""

    type: str
    body: Body | None


@dataclass(frozen=True, slots=True)
class Tellings:
    """The endpoints in force with their versions, what steps of all versions of journeys say to them, and to whom letters go; and what is
    made of them when it is first used.
    """

    endpoints: dict[str, tuple[int, WebhookEndpoint]]
    sayings: dict[Name, Saying]
    recipients: dict[Name, Recipient]
    compiled: dict[tuple[str, int, Name], Compiled | TemplateFault] = field(default_factory=dict)
    headers: dict[tuple[str, int], tuple[tuple[str, str], ...] | str] = field(default_factory=dict, repr=False)
    secrets: dict[tuple[str, int], tuple[bytes, ...]] = field(default_factory=dict, repr=False)


def build(documents: Sequence[Published], _revision: int = 0) -> Tellings:
    """Out of the documents of kind webhook and journey."""
    tellings = Tellings({}, {}, {})
    for document in documents:
        body = bytes(document.body)
        if document.kind == "webhook" and document.pointer:
            tellings.endpoints[document.key] = (document.version, WebhookEndpoint.model_validate_json(body))
        elif document.kind == "journey" and (b'"webhook"' in body or b'"hand"' in body):
            for step in _steps(body).steps:
                _add(tellings, (document.key, document.version, step.id), step)
    return tellings


def _add(tellings: Tellings, name: Name, step: _Step) -> None:
    default = f"{name[0]}.{name[2]}"
    if isinstance(step.webhook, str):
        tellings.sayings[name] = Saying(step.type or default, step.body)
    elif isinstance(step.hand, dict) and "webhook" in step.hand:
        call = Call.model_validate(step.hand)
        tellings.sayings[name] = Saying(call.type or default, call.body)
    elif isinstance(step.hand, dict):
        tellings.recipients[name] = Letter.model_validate(step.hand).to


class Outward:
    """`current` first, within a connection; then `call`, or `managers` and `recipient`, for each intent."""

    def __init__(self, settings: SenderSettings, vault: Signs) -> None:
        self._secrets, self._vault = settings.webhook_secrets, vault
        self._definitions = Definitions(("webhook", "journey"), build)
        self._tellings = build(())
        self._off: Mapping[tuple[str, int], int] = {}

    async def current(self, connection: Connection, revision: int, endpoint: str) -> None:
        """Take the documents of this revision; endpoint: also whether it is switched off, "" for none."""
        self._tellings = await self._definitions.at(connection, revision)
        if endpoint:
            self._off = await store.switched_off(connection, endpoint)

    def call(self, intent: Intent, contact: Contact, person: str, now: int) -> Rendered | str:
        """The call that an intent asks for, or the rule that keeps it back."""
        found, saying = self._tellings.endpoints.get(intent.template), self._tellings.sayings.get(name_of(intent))
        if found is None or saying is None:
            return "webhook:missing"
        version, endpoint = found
        if (endpoint.key, version) in self._off:
            return "webhook:gone"
        headers = self._headers(endpoint, version)
        if isinstance(headers, str):
            return headers
        said = variables(contact, intent, person, now)
        body = saying.body if saying.body is not None else endpoint.body
        if body is None:
            text = envelope(saying.type, intent, said)
        else:
            compiled = self._compiled(body, endpoint, version, name_of(intent))
            text = compiled if isinstance(compiled, TemplateFault) else render_body(compiled, {**said, "type": saying.type})
        if isinstance(text, TemplateFault):
            return f"template:{text.code}"
        options = {
            "secrets": self._signing(endpoint, version),
            "timeout_s": endpoint.timeout_s,
            "content_type": endpoint.content_type,
            "version": version,
        }
        return Rendered(intent.id, endpoint.url, text, headers=headers, options=options)

    def managers(self, intent: Intent, contact: Contact) -> list[str]:
        """Addresses of the managers who may be told, the first that can be is. A manager of his own is that of his newest open deal where nobody
        says more.
        """
        to = self._tellings.recipients.get(name_of(intent))
        if to is None:
            return []
        told = (
            taken(intent.data, to.data) if to.data else None,
            contact.attributes.get(to.attribute, (0, None))[1] if to.attribute else None,
            _of_deals(contact, intent.brand) if to.data or to.attribute else None,
            to.address,
        )
        return [one for one in told if isinstance(one, str) and _is_address(one)]

    def recipient(self, intent: Intent, contact: Contact, bad: Mapping[str, str]) -> Mailbox | str:
        """The address of the manager who is told, else why that of the one who is known may not be written to, "" where none is. bad: hash of
        an address -> why it is none now.
        """
        known = self.managers(intent, contact)
        why = [bad.get(domain.address_hash(one)) for one in known]
        good = next((one for one, bad in zip(known, why, strict=True) if bad is None), None)
        return Mailbox(good) if good is not None else next(filter(None, why), "")

    def _compiled(self, body: Body, endpoint: WebhookEndpoint, version: int, step: Name) -> Compiled | TemplateFault:
        kept, name = self._tellings.compiled, (endpoint.key, version, step)
        if name not in kept:
            kept[name] = compile_body(body, endpoint.content_type)
        return kept[name]

    def _signing(self, endpoint: WebhookEndpoint, version: int) -> tuple[bytes, ...]:
        kept, name = self._tellings.secrets, (endpoint.key, version)
        if name not in kept:
            kept[name] = tuple(secret_of(self._vault, endpoint.brand, endpoint.key, one) for one in endpoint.secret_versions())
        return kept[name]

    def _headers(self, endpoint: WebhookEndpoint, version: int) -> tuple[tuple[str, str], ...] | str:
        kept, name = self._tellings.headers, (endpoint.key, version)
        if name not in kept:
            kept[name] = self._allowed(endpoint)
        return kept[name]

    def _allowed(self, endpoint: WebhookEndpoint) -> tuple[tuple[str, str], ...] | str:
        """A secret of the installation is for one host: who may write documents cannot send it to his own."""
        host = (urlsplit(endpoint.url).hostname or "").lower()
        named = {header: self._secrets.get(name) for header, name in endpoint.secret_headers.items()}
        found = {header: secret.value for header, secret in named.items() if secret is not None and secret.host.lower() == host}
        if len(found) < len(named):
            return "webhook:secret"
        return (*endpoint.headers.items(), *found.items())


def name_of(intent: Intent) -> Name:
    return intent.document.removeprefix("journey:"), intent.version, intent.step


def variables(contact: Contact, intent: Intent, person: str, now: int) -> dict[str, Any]:
    """What a body or a letter to a manager may use: as a template does, and the person's own addresses; none of his links."""
    kinds = {kind: contact.addresses[kind][1] for kind in ADDRESS_KIND.values() if kind in contact.addresses}
    more = {"brand": intent.brand, "now": now, "person": {"id": person, "addresses": kinds}}
    return {**domain.variables(contact, intent), **more}


def envelope(kind: str, intent: Intent, said: Mapping[str, Any]) -> str | TemplateFault:
    """Of Standard Webhooks. Its time is that of the decision for every repeat too; of the person it says what is known when it is made."""
    data = {
        "brand": intent.brand,
        "journey": intent.document.removeprefix("journey:"),
        "step": intent.step,
        "person": {**said["person"], "attributes": said["profile"]},
        "event": intent.data.get("event", {}),
        "run": intent.data.get("run", {}),
    }
    at = datetime.fromtimestamp(intent.received_at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        return msgspec.json.encode({"type": kind, "timestamp": at, "data": data}).decode()
    except RecursionError:
        return TOO_DEEP


def _of_deals(contact: Contact, brand: str) -> Any:
    """The manager of his newest open deal of a brand that has one, as profile tells it (docs/accounts.md)."""
    deals = contact.attributes.get("deals", (0, None))[1]
    by_brand = deals.get("manager") if isinstance(deals, Mapping) else None
    return by_brand.get(brand) if isinstance(by_brand, Mapping) else None


def _is_address(text: str) -> bool:
    try:
        mailbox(text)
    except AddressError:
        return False
    return True
