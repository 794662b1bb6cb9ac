"""A mapping for a header whose columns have names that are known: to begin from, not to be trusted unseen."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.facts import IDENTIFIER_KINDS

from .mapping import Mapping as Document
from .names import Columns, neutral

UNKNOWN_MOMENT = "2000-01-01"  # of a yes without one: no word that it may meet is older
HISTORY = {
    "sent_at": "Email Sent",
    "delivered_at": "Email Delivered",
    "opened_at": "Email Opened",
    "clicked_at": "Email Link Clicked",
    "bounced_at": "Email Bounced",
    "complained_at": "Email Marked as Spam",
}
STATUSES = {
    "Email Sent": ("sent", "отправлено", "отправлен"),
    "Email Delivered": ("delivered", "ok_delivered", "доставлено", "доставлен"),
    "Email Opened": ("opened", "open", "read", "ok_read", "прочитано", "прочитан", "открыто", "открыт"),
    "Email Link Clicked": ("clicked", "click", "ok_link_visited", "клик", "переход", "перешел по ссылке"),
    "Email Bounced": ("bounced", "bounce", "hard_bounce", "err_user_unknown", "не доставлено", "ошибка доставки"),
    "Email Marked as Spam": ("spam", "complaint", "ok_spam_folder", "жалоба", "жалоба на спам"),
    "Email Unsubscribed": ("unsubscribed", "unsubscribe", "ok_unsubscribed", "отписка", "отписан", "отписался"),
}
EVIDENCE = {"text": "consent_text", "page": "consent_page", "ip": "consent_ip", "form": "consent_form"}
_LETTER = ("campaign_id", "campaign_name", "subject")
_DATES = ("birthday",)


def suggest(header: Sequence[str]) -> tuple[str, Document]:
    """(which of the ready mappings it follows, the mapping with the names of this header).

    Its identifiers are empty where no column is known to name anybody.
    """
    columns = Columns(header)
    known: dict[str, str] = {}
    for name, plain in zip(columns.names, header, strict=True):
        if (said := neutral(plain)) is not None:
            known.setdefault(said, name)
    if "order_id" in known and ("revenue" in known or "price" in known):
        kind, more = "orders", _orders(known)
    elif ("event" in known and "occurred_at" in known) or any(name in known for name in HISTORY):
        kind, more = "history", {"events": _history(known)}
    elif known.keys() & {"subscribed", "subscribed_at", "status", "unsubscribed_at"}:
        kind, more = _subscriptions(known, columns.names)
    else:
        kind, more = "contacts", _contact(known, columns.names)
    identifiers = {name: known[name] for name in IDENTIFIER_KINDS if name in known}
    return kind, msgspec.convert({"identifiers": identifiers, **more}, Document)


def _contact(known: Mapping[str, str], names: Sequence[str], but: Sequence[str] = ()) -> dict[str, Any]:
    """All columns that name nobody are attributes: known ones under their neutral names, others under their own."""
    called = {column: name for name, column in known.items()}
    attributes: dict[str, Any] = {}
    for column in names:
        name = called.get(column, column)
        if name not in IDENTIFIER_KINDS and name not in but:
            attributes[name] = {"column": column, "as": "date"} if name in _DATES else column
    return {"call": "identify", "attributes": attributes}


def _subscriptions(known: Mapping[str, str], names: Sequence[str]) -> tuple[str, dict[str, Any]]:
    said = ("subscribed", "status", "subscribed_at", "unsubscribed_at", "topic", *EVIDENCE.values())
    topic = {"topic": {"column": known["topic"]}} if "topic" in known else {}
    evidence = {name: known[column] for name, column in EVIDENCE.items() if column in known}
    answer = known.get("subscribed") or known.get("status")
    words: list[dict[str, Any]] = []
    if answer or "subscribed_at" in known:
        yes: dict[str, Any] = {"timestamp": known.get("subscribed_at") or {"value": UNKNOWN_MOMENT}, **topic, "evidence": evidence}
        if answer:
            yes["answer"] = {"column": answer}
        else:
            yes["when"] = {"column": known["subscribed_at"], "is": "not_empty"}
        words.append(yes)
    if "unsubscribed_at" in known:
        when = {"column": known["unsubscribed_at"], "is": "not_empty"}
        words.append({"answer": "withdrawn", "timestamp": known["unsubscribed_at"], "when": when, **topic})
    if not answer and "subscribed_at" not in known:
        return "unsubscribes", {"consents": words}
    return "subscriptions", {**_contact(known, names, said), "consents": words}


def _history(known: Mapping[str, str]) -> list[dict[str, Any]]:
    properties = {name: known[name] for name in _LETTER if name in known}
    found = []
    for event, texts in STATUSES.items():
        more: dict[str, Any] = dict(properties)
        if event == "Email Link Clicked" and "link" in known:
            more["link"] = known["link"]
        if event == "Email Bounced":
            more["type"] = {"value": "hard"}
        moment = next((known[name] for name, said in HISTORY.items() if said == event and name in known), None)
        if moment is not None:
            found.append({"event": event, "timestamp": moment, "properties": more})
        elif "event" in known and "occurred_at" in known:
            when = {"column": known["event"], "is": "one_of", "values": list(texts)}
            found.append({"event": event, "timestamp": known["occurred_at"], "when": when, "properties": more})
    return found


def _orders(known: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "call": "track",
        "event": "Order Completed",
        "message_id": f"order-{{{known['order_id']}}}",
        "properties": {"order_id": known["order_id"]},
        "timestamp": known.get("ordered_at") or known.get("occurred_at") or "",
    }
    if "price" in known and "quantity" in known:
        lines: dict[str, Any] = {"price": {"column": known["price"], "as": "money"}}
        lines["quantity"] = {"column": known["quantity"], "as": "number"}
        lines |= {name: known[column] for name, column in (("sku", "sku"), ("name", "product_name")) if column in known}
        made["group"] = {"by": known["order_id"], "products": lines}
    elif "revenue" in known:
        made["properties"]["revenue"] = {"column": known["revenue"], "as": "money"}
    return made
