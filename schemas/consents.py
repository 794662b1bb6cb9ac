"""Words of consent: which facts they are, what each is about, and what of it the ledger keeps.

A word is a fact with one of these event names. Its properties: `channel` and `topic` ("*": all of them), `purpose` ("marketing"),
`basis` ("consent"), `text_id`, `text_sha256`, `language`, `policy_version`, `controller`, `jurisdiction`, `expires_at`, `actor`, and
`evidence`: an object with what proves it (form, page, checkbox as it was shown, DOI message, call record, scan). A `Consent Granted` with
`double_opt_in` is a request that waits for its `Consent Confirmed`, whose `requested_at` (ms) says which one it confirms.
"""

from collections.abc import Mapping
from typing import Any, Literal

from schemas import topics
from schemas.attributes import date_ms
from schemas.facts import Fact

Action = Literal["granted", "requested", "confirmed_doi", "withdrawn", "complaint", "operator_refusal"]
GRANTED, CONFIRMED, WITHDRAWN = "Consent Granted", "Consent Confirmed", "Consent Withdrawn"
ACTIONS: Mapping[str, Action] = {
    GRANTED: "granted",
    CONFIRMED: "confirmed_doi",
    WITHDRAWN: "withdrawn",
    "Email Unsubscribed": "withdrawn",
    "Unsubscribed": "withdrawn",
    "Email Marked as Spam": "complaint",
    "Consent Refused by Operator": "operator_refusal",
}
GRANTS = frozenset(event for event, action in ACTIONS.items() if action in ("granted", "confirmed_doi"))
WITHDRAWS = ACTIONS.keys() - GRANTS
EVENTS = frozenset(ACTIONS)
CHANNELS = frozenset(topics.CHANNELS)
CHANNEL_CHARS, TOPIC_CHARS = 60, 200  # so much of the names in a word is kept


def about(fact: Fact) -> tuple[str, str]:
    """(channel, topic) of a word. A no to something that we do not know is a no to everything: nobody may be written to for a slip. Which
    topics there are is not known here: schemas/permission.py says what a no to one that there is not means.
    """
    channel = _word(fact, "channel")[:CHANNEL_CHARS] or ("email" if fact.event.startswith("Email") else "*")
    topic = _word(fact, "topic")[:TOPIC_CHARS] or "*"
    if fact.event in WITHDRAWS:
        channel = channel if channel in CHANNELS else "*"
        topic = topic if isinstance(fact.properties.get("topic"), str) else "*"
    return channel, topic


def action(fact: Fact) -> Action:
    """What a word does, as the ledger calls it."""
    return "requested" if is_request(fact) else ACTIONS[fact.event]


def is_request(fact: Fact) -> bool:
    """Is it a yes that permits nothing until it is confirmed? Whatever stands there but a plain no: nothing is permitted by a slip."""
    return fact.event == GRANTED and fact.properties.get("double_opt_in") not in (None, False, "", "false", "no", "0")


def said_at(fact: Fact) -> int:
    """The instant (ms) from which a word counts. A confirmation counts from the request on: a no that came in between stands."""
    asked = fact.properties.get("requested_at") if fact.event == CONFIRMED else None
    return min(asked, fact.occurred_at) if type(asked) is int and asked >= 0 else fact.occurred_at


def ends_at(fact: Fact) -> int | None:
    """The instant (ms) at which a yes ends, None: never. An end that cannot be read is now: 0."""
    said = fact.properties.get("expires_at") if fact.event in GRANTS else None
    if said is None:
        return None
    end = date_ms(said)
    return end if end is not None and 0 <= end < 2**53 else 0


def is_proven(fact: Fact) -> bool:
    """May marketing rely on this yes? One that was imported counts with evidence only; what a customer does live is its own."""
    evidence = fact.properties.get("evidence")
    return fact.event in WITHDRAWS or fact.lane == "live" or (isinstance(evidence, Mapping) and bool(evidence))


def _word(fact: Fact, name: str) -> str:
    value: Any = fact.properties.get(name)
    text = str(value).replace("\x00", "").strip() if value else ""
    return text.lower() if name == "channel" else text
