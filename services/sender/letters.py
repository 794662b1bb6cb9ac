"""From an intent and a contact to a message that may go out, or to the rule that forbids it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from runtime.db import Connection
from runtime.definitions import Definitions
from schemas.bots import Bot, Shown, shown
from schemas.campaigns import LAUNCHES
from schemas.connectors import Signs
from schemas.controls import Gate
from schemas.definitions import Published
from schemas.journeys import Brand
from schemas.messages import Intent
from schemas.permission import Tree, requests
from schemas.policies import Cell, Policy, forbidden
from schemas.starts import person_start
from schemas.templates import Template as TemplateDocument
from services.sender import domain, links, store
from services.sender.channels.contract import Rendered
from services.sender.content.markup import MarkupFault, compile_mjml
from services.sender.content.mime import marketing_headers
from services.sender.content.templates import Parts, Template, TemplateFault, TemplateSource, compile_template, render
from services.sender.domain import Contact
from services.sender.outward import Mailbox, Outward, variables
from services.sender.settings import SenderSettings
from services.sender.subjects import subjects

CHATS = ("telegram", "vk")
_decode = msgspec.msgpack.Decoder(Contact).decode
_links = msgspec.msgpack.Encoder().encode
WAYS = {
    "unsubscribe_url": links.Kind.UNSUBSCRIBE,
    "preferences_url": links.Kind.PREFERENCES,
    "confirm_url": links.Kind.CONFIRM,
    "attend_url": links.Kind.ATTEND,
}


class _Owned(msgspec.Struct):
    """A document of a brand, as far as whose it is."""

    brand: str


class _Launch(msgspec.Struct):
    """A launch of a campaign, as far as its gate."""

    state: str


_owned = msgspec.json.Decoder(_Owned).decode
_launch = msgspec.json.Decoder(_Launch).decode


class Offered(Mapping[str, Any]):
    """What a template may use. made: what is made when it first asks for it: most letters use few of their links, and each is signed."""

    def __init__(self, plain: Mapping[str, Any], made: Mapping[str, Callable[[], Any]]) -> None:
        self._plain, self._made, self._kept = plain, made, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            return self._plain[name]
        if name not in self._kept:
            self._kept[name] = self._made[name]()
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain.keys() | self._made.keys())

    def __len__(self) -> int:
        return len(self._plain.keys() | self._made.keys())


@dataclass(frozen=True, slots=True)
class Prepared:
    """stamp: of the contact that permission was checked on; links: packed click targets by number."""

    message: Rendered
    stamp: int
    links: bytes | None


@dataclass(frozen=True, slots=True)
class Shut:
    """A gate behind which nothing goes. number: 0 of a launch; state: "paused", "ended" or "stopped"."""

    number: int
    state: str


@dataclass(frozen=True, slots=True)
class Library:
    """The templates, bots, brands, topics and policies of one revision, and the keys of each brand's surveys. Texts are compiled when they
    are first used, and kept.

    confirming: the templates that ask for a confirmation.
    """

    documents: dict[tuple[str, int], TemplateDocument]
    bots: dict[tuple[str, int], Bot]
    current: dict[str, int]
    brands: dict[str, Brand]
    compiled: dict[tuple[str, int, tuple[str, ...]], Template | TemplateFault]
    forbidden: Collection[Cell]
    topics: Tree
    confirming: set[tuple[str, int]]
    surveys: dict[str, list[str]]


def _build(documents: Sequence[Published], _revision: int) -> Library:
    policies = [Policy.model_validate_json(bytes(d.body)) for d in documents if d.kind == "policy" and d.pointer]
    library = Library({}, {}, {}, {}, {}, forbidden(policies), subjects(documents).tree, set(), {})
    for document in documents:
        if document.kind == "brand" and document.pointer:
            library.brands[document.key] = Brand.model_validate_json(bytes(document.body))
        elif document.kind == "bot":
            library.bots[document.key, document.version] = Bot.model_validate_json(bytes(document.body))
        elif document.kind == "survey" and document.pointer:
            brand = _owned(document.body).brand
            library.surveys.setdefault(brand, []).append(document.key)
        elif document.kind == "template":
            library.documents[document.key, document.version] = TemplateDocument.model_validate_json(bytes(document.body))
            if b"confirm_url" in bytes(document.body):
                library.confirming.add((document.key, document.version))
            if document.pointer:
                library.current[document.key] = document.version
    return library


def _gates(documents: Sequence[Published], _revision: int = 0) -> dict[str, Shut]:
    """Those that are shut, by the document that they are of, and launches of campaigns that are paused or stopped, by their keys."""
    gates: dict[str, Shut] = {}
    for document in documents:
        if document.kind == LAUNCHES and document.pointer:
            if (state := _launch(document.body).state) != "running":
                gates[document.key] = Shut(0, state)
        elif document.kind == "gate" and document.pointer:
            gate = Gate.model_validate_json(bytes(document.body))
            if gate.state in ("paused", "ended"):
                gates[gate.key] = Shut(document.version, gate.state)
    return gates


class Letters:
    """Makes messages. `current` first, within a connection; then `prepare` for each intent."""

    def __init__(self, settings: SenderSettings, keys: links.Keys, vault: Signs) -> None:
        self._settings, self._keys, self._vault = settings, keys, vault
        self._definitions = Definitions(("template", "bot", "brand", "topic", "policy", "survey"), _build)
        self._library = _build((), 0)
        self._shutting = Definitions(("gate", LAUNCHES), _gates)
        self._gates = _gates(())
        self._outward = Outward(settings, vault)

    async def current(self, connection: Connection, endpoint: str = "") -> "Letters":
        """Take the documents of this moment's revision, and the gates. endpoint: of the calls that are to be prepared."""
        revision = await connection.fetchval("SELECT revision FROM definition_revision")
        self._library = await self._definitions.at(connection, revision)
        self._gates = await self._shutting.at(connection, revision)
        await self._outward.current(connection, revision, endpoint)
        return self

    def shut(self, intent: Intent) -> Shut | None:
        """The gate, or the launch, that keeps a message back, as of the last `current`."""
        return self._gates.get(intent.document) or self._gates.get(intent.occurrence)

    async def bad_managers(self, connection: Connection, told: Iterable[tuple[Intent, Any]], now: int) -> Mapping[str, str]:
        """Of the managers who may be told of these people (rows): hash of an address -> why it is not written to now (ms)."""
        known = ((intent, row) for intent, row in told if intent.to and row is not None)
        addresses = {one for intent, row in known for one in self._outward.managers(intent, _decode(row["state"]))}
        return await store.bad_managers(connection, {domain.address_hash(one) for one in addresses}, now)

    def prepare(
        self, intent: Intent, address_key: bytes, row: Any, now: int, consent_age_ms: int, bad: Mapping[str, str] | None = None
    ) -> Prepared | Shut | str:
        """The message, or the gate or the rule that keeps it back ("stale_consent" and "not_after" may pass, the others not). bad: see
        `bad_managers`.
        """
        if now > intent.not_after:
            return "not_after"
        if (gate := self.shut(intent)) is not None:
            return gate
        if row is None:
            return "unknown_person" if intent.for_others else "no_address"
        contact = _decode(row["state"])
        if intent.for_others:
            return self._to_others(intent, contact, row, now, consent_age_ms, bad or {})
        library = self._library
        rule = domain.forbids(contact, intent, consent_age_ms, library.forbidden, library.topics, now)
        if rule is not None:
            return rule
        if self._name(intent) in library.confirming and not requests(contact.words, library.topics, intent.brand, intent.channel):
            return "nothing_to_confirm"
        address = domain.address_of(contact, intent.channel) or ""
        if domain.address_key(intent, address) != address_key:
            return "address_changed"
        template = self._template(intent)
        if isinstance(template, TemplateFault):
            return f"template:{template.code}"
        offered = self._offered(contact, intent, str(row["id"]), now)
        parts = render(template, offered)
        if isinstance(parts, TemplateFault):
            return f"template:{parts.code}"
        return self._message(intent, address, parts, lambda: str(offered["unsubscribe_url"]), row["stamp"], now)

    def _to_others(
        self, intent: Intent, contact: Contact, row: Any, now: int, consent_age_ms: int, bad: Mapping[str, str]
    ) -> Prepared | str:
        """A webhook, or a letter to a manager: nothing in it counts clicks or opens, and none of the person's own links stands there."""
        rule = domain.forbids_telling(contact, intent, consent_age_ms, self._library.topics, now)
        if rule is not None:
            return rule
        if intent.channel == "webhook":
            call = self._outward.call(intent, contact, str(row["id"]), now)
            return call if isinstance(call, str) else Prepared(call, row["stamp"], None)
        address, template = self._outward.recipient(intent, contact, bad), self._template(intent)
        if not isinstance(address, Mailbox):
            if address:
                return f"suppressed:{address}"
            return "no_manager"
        parts = (
            template if isinstance(template, TemplateFault) else render(template, variables(contact, intent, str(row["id"]), now))
        )
        if isinstance(parts, TemplateFault):
            return f"template:{parts.code}"
        return Prepared(self._addressed(intent, address.address, parts, now), row["stamp"], None)

    def tried(self, intent: Intent, row: Any, now: int) -> tuple[str | None, Parts | TemplateFault | None]:
        """The rule that would forbid it for somebody, and what his letter would say all the same; None of whom nothing is known."""
        if row is None:
            return "no_address", None
        contact, template = _decode(row["state"]), self._template(intent)
        rule = domain.forbids(contact, intent, 0, self._library.forbidden, self._library.topics, now)
        if isinstance(template, TemplateFault):
            return rule, template
        return rule, render(template, self._offered(contact, intent, str(row["id"]), now))

    def knows(self, intent: Intent) -> bool:
        """Is the version of the template here that a message names?"""
        return self._name(intent) in self._library.documents

    def source(self, intent: Intent) -> str:
        """What is written in the template that a message names, in all its parts."""
        document = self._library.documents.get(self._name(intent))
        parts = (document.html, document.mjml, document.text, *document.blocks.values()) if document else ()
        return "\n".join(filter(None, parts))

    def _offered(self, contact: Contact, intent: Intent, person: str, now: int) -> Offered:
        def way(kind: links.Kind) -> Callable[[], str]:
            return lambda: links.url(self._settings.public_url, kind, intent.id, 0, self._keys)

        made: dict[str, Callable[[], Any]] = {name: way(kind) for name, kind in WAYS.items()}
        made |= {"chat_start": lambda: person_start(self._vault, person, now), "survey_url": lambda: self._surveys(intent)}
        return Offered({**domain.variables(contact, intent), "brand": intent.brand, "now": now}, made)

    def _name(self, intent: Intent) -> tuple[str, int]:
        """The version of the template that it names, else the one in force."""
        return intent.template, intent.template_version or self._library.current.get(intent.template, 0)

    def _surveys(self, intent: Intent) -> dict[str, str]:
        """The person's own link of each survey of the brand."""
        base, known = self._settings.public_url, self._library.surveys.get(intent.brand, ())
        return {key: links.survey_url(base, key, intent.id, self._keys) for key in known}

    def _template(self, intent: Intent) -> Template | TemplateFault:
        library, spoken = self._library, parts_of(intent)
        version = self._name(intent)[1]
        name = (intent.template, version, spoken)
        if name not in library.compiled:
            document = library.documents.get(name[:2])
            if spoken:
                library.compiled[name] = self._spoken(intent, spoken)
            elif document:
                library.compiled[name] = _compile(document, version)
            else:
                library.compiled[name] = TemplateFault("missing", f"no template {intent.template} version {version}")
        return library.compiled[name]

    def _spoken(self, intent: Intent, parts: Sequence[str]) -> Template | TemplateFault:
        """What a bot says: its texts of these names, one below the other."""
        bot = self._library.bots.get((intent.document.removeprefix("bot:"), intent.version))
        texts = bot.texts() if bot else {}
        if any(part not in texts for part in parts):
            return TemplateFault("missing", f"no {intent.document} version {intent.version} with these texts")
        return compile_template(TemplateSource(intent.document, intent.version, text="\n\n".join(texts[part] for part in parts)))

    def _buttons(self, intent: Intent) -> tuple[Shown, ...]:
        if parts := parts_of(intent):
            bot = self._library.bots.get((intent.document.removeprefix("bot:"), intent.version))
            return bot.buttons(parts[-1], str(intent.data["bot"].get("run", ""))) if bot else ()
        document = self._library.documents.get(self._name(intent))
        return shown(document.buttons) if document else ()

    def _message(
        self, intent: Intent, address: str, parts: Parts, unsubscribe: Callable[[], str], stamp: int, now: int
    ) -> Prepared:
        text, html, buttons, targets = parts.text, parts.html, self._buttons(intent), tuple[str, ...]()
        if intent.channel in CHATS:
            text, buttons, targets = links.track_chat(text, buttons, self._settings.public_url, intent.id, self._keys)
        elif html is not None:
            html, targets = links.track(html, self._settings.public_url, intent.id, self._keys)
        headers: tuple[tuple[str, str], ...] = (("X-Send-Id", intent.id),)
        if intent.channel == "email" and intent.message_class != "service":
            list_id = f"<{intent.brand}.{self._settings.mail_domain}>"
            feedback = f"{intent.document.replace(':', '-')}:{intent.step}:{intent.message_class}:{intent.brand}"
            headers = marketing_headers(unsubscribe(), list_id, feedback, intent.id)
        tracked = Parts(parts.subject, text, html)
        message = replace(self._addressed(intent, address, tracked, now), headers=headers, buttons=buttons)
        return Prepared(message, stamp, _links(targets) if targets else None)

    def _addressed(self, intent: Intent, address: str, parts: Parts, now: int) -> Rendered:
        brand = self._library.brands.get(intent.brand)
        sender = (brand.from_email if brand else "") or self._settings.from_email
        return Rendered(
            key=intent.id,
            address=address,
            text=parts.text,
            message_id=f"{intent.id}@{self._settings.mail_domain}",
            sender=sender if intent.channel == "email" else "",
            sender_name=(brand.from_name or brand.name) if brand else self._settings.from_name,
            subject=parts.subject,
            html=parts.html,
            date_ms=now,
            headers=(("X-Send-Id", intent.id),),
        )


def parts_of(intent: Intent) -> tuple[str, ...]:
    """The names of a bot's texts that a reply of its consists of; () for what a template says."""
    return tuple(intent.data["bot"]["parts"]) if intent.document.startswith("bot:") else ()


def _compile(document: TemplateDocument, version: int) -> Template | TemplateFault:
    html = document.html
    if document.mjml is not None:
        compiled = compile_mjml(document.mjml)
        if isinstance(compiled, MarkupFault):
            return TemplateFault("mjml", compiled.message)
        html = compiled
    return compile_template(TemplateSource(document.key, version, document.subject, document.text, html, document.blocks))
