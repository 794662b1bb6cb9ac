"""Intents on `messages.<channel>.<class>` and verdicts on `decisions`: what is to be sent to whom, and what became of it."""

from typing import Any, Literal

import msgspec

from schemas.facts import Seq
from schemas.ids import derive
from schemas.topics import Carrier

MessageClass = Literal["service", "triggered", "mass"]

# sent: an intent went to the sender; accepted: the provider took it; late: its slot was over; held: a gate was shut;
# in_doubt: the provider may have it; unknown: in doubt for 72 h and closed; would_have_sent: a control unit; displaced is `deferred`;
# purged: profile was asked to erase him; kept: it was not, by the rule that is named;
# exposed: he fell into an arm of a split; fallback: a cascade leaves a channel, by the rule that is named; moved: his run goes on in
# another version; given, returned: a promo code became his, or goes back as it never went out.
Verdict = Literal[
    "sent", "skipped", "deferred", "would_have_sent", "entered", "left", "goal",
    "accepted", "failed", "late", "held", "in_doubt", "unknown", "purged", "kept", "exposed", "fallback", "moved",
    "given", "returned",
]  # fmt: skip
KEEPS = frozenset(("accepted", "in_doubt", "unknown"))  # these keep the reservation of a cap; a bounce comes after acceptance
FREES = frozenset(("skipped", "late", "held", "failed"))  # these free it, once


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message to one person. `id` is its key for ever: at most one provider call is made for it (law 7).

    attempt grows when an intent comes back under the same id after `late` or `held`. not_after: end of its slot (ms); the sender
    never calls a provider later. to: "manager" of what is told to one about the person; template: of a webhook its endpoint. data: what
    the template may use beside the person: {"event": ..., "run": ...}. topic: what the person must have consented to ("*" for any);
    decided_at = received_at: the instant of the decision. cascade: of a message that another channel was tried for before, the id of its
    first intent: all of them are one message.
    """

    id: str
    brand: str
    profile: str
    channel: Carrier
    message_class: MessageClass
    template: str
    template_version: int
    document: str
    version: int
    step: str
    occurrence: str
    not_after: int
    received_at: int
    topic: str = "*"
    attempt: int = 0
    data: dict[str, Any] = {}
    cause: str | None = None
    src: str | None = None
    seq: Seq | None = None
    cascade: str = ""
    to: Literal["", "manager"] = ""

    @property
    def for_others(self) -> bool:
        """Does it go to somebody else than the person that it is about?"""
        return self.channel == "webhook" or self.to != ""


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One verdict and the rule that gave it: "why did he get it, why did he not" is a query over these.

    document: "journey:welcome"; rule: "same_day", "quiet_hours", "cap:mass:week", "global_control", "consent", "no_address",
    "template:<code>", "provider:<outcome>", "suppressed", ...; until: when a deferred one is decided again (ms).
    by: the service that decided. gate: of a `held` one, the number of the gate that was shut.
    """

    id: str
    brand: str
    profile: str
    verdict: Verdict
    by: Literal["orchestrator", "sender"]
    received_at: int
    document: str = ""
    version: int = 0
    step: str = ""
    occurrence: str = ""
    intent: str = ""
    attempt: int = 0
    channel: str = ""
    message_class: str = ""
    rule: str = ""
    until: int | None = None
    detail: dict[str, Any] = {}
    cause: str | None = None
    src: str | None = None
    seq: Seq | None = None
    gate: int = 0


def intent_id(document: str, version: int, step: str, profile: str, occurrence: str) -> str:
    """The key of law 7: document and version, step, canonical profile, and the fact (or launch) that started the run."""
    return derive("intent", document, version, step, profile, occurrence)


decode_intent = msgspec.json.Decoder(Intent).decode
decode_decision = msgspec.json.Decoder(Decision).decode
