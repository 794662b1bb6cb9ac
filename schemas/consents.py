"""Words of consent: which facts they are, what each is about, and what of it the ledger keeps.

A word is a fact with one of these event names. Its properties: `channel` and `topic` ("*": all of them), `purpose` ("marketing"),
`basis` ("consent"), `text_id`, `text_sha256`, `language`, `policy_version`, `controller`, `jurisdiction`, `expires_at`, `actor`, and
`evidence`: an object with what proves it (form, page, checkbox as it was shown, DOI message, call record, scan).
"""

from collections.abc import Mapping
from typing import Any, Literal

from schemas import topics
from schemas.facts import Fact

Action = Literal["granted", "confirmed_doi", "withdrawn", "complaint", "operator_refusal"]
ACTIONS: Mapping[str, Action] = {
    "Consent Granted": "granted",
    "Consent Confirmed": "confirmed_doi",
    "Consent Withdrawn": "withdrawn",
    "Email Unsubscribed": "withdrawn",
    "Unsubscribed": "withdrawn",
    "Email Marked as Spam": "complaint",
    "Consent Refused by Operator": "operator_refusal",
}
GRANTS = frozenset(event for event, action in ACTIONS.items() if action in ("granted", "confirmed_doi"))
WITHDRAWS = ACTIONS.keys() - GRANTS
EVENTS = frozenset(ACTIONS)
CHANNELS = frozenset(topics.CHANNELS)


def about(fact: Fact) -> tuple[str, str]:
    """(channel, topic) of a word. A no to something that we do not know is a no to everything: nobody may be written to for a slip."""
    channel = _word(fact, "channel") or ("email" if fact.event.startswith("Email") else "*")
    topic = _word(fact, "topic") or "*"
    if fact.event in WITHDRAWS:
        channel = channel if channel in CHANNELS else "*"
        topic = topic if isinstance(fact.properties.get("topic"), str) else "*"
    return channel, topic


def is_proven(fact: Fact) -> bool:
    """May marketing rely on this yes? One that was imported counts with evidence only; what a customer does live is its own."""
    evidence = fact.properties.get("evidence")
    return fact.event in WITHDRAWS or fact.lane == "live" or (isinstance(evidence, Mapping) and bool(evidence))


def _word(fact: Fact, name: str) -> str:
    value: Any = fact.properties.get(name)
    text = str(value).replace("\x00", "").strip() if value else ""
    return text.lower() if name == "channel" else text
