"""Companies and deals as facts tell of them: names of events, and what such a fact needs to have."""

from collections.abc import Mapping
from typing import Any, NamedTuple

# What is told of a company: by the call `group`, and that a person is not with it any more.
ACCOUNT_LEFT = "Account Left"
ACCOUNT_KINDS = ("legal", "person", "unknown")  # unknown is a value of its own: nobody has asked yet
# What a colleague did is told to the other members under its own name behind this word.
OF_ACCOUNT = "Account "

# What a CRM tells of a deal; and what we tell of it, when it truly came into another stage or status.
DEAL_UPDATED = "Deal Updated"
DEAL_STAGE_CHANGED = "Deal Stage Changed"
DEAL_WON = "Deal Won"
DEAL_LOST = "Deal Lost"
DEAL_STATUSES = ("open", "won", "lost")
DEAL_FIELDS = ("name", "pipeline", "stage", "status", "reason_lost", "amount", "manager", "product", "account")

MAX_KEY = 200


class Flaw(NamedTuple):
    """What is wrong with a fact about a company or a deal. field: of its properties; mend: what its sender should do."""

    field: str
    message: str
    mend: str


def account_key(properties: Mapping[str, Any]) -> str | None:
    """The group id that names a company, as text; None where there is no usable one."""
    return _key(properties.get("group_id"))


def deal_key(properties: Mapping[str, Any]) -> str | None:
    """The id that the CRM gave a deal, as text; None where there is no usable one."""
    return _key(properties.get("deal_id"))


def flaw_of(event: str, properties: Mapping[str, Any]) -> Flaw | None:
    """Why a fact says nothing that can be kept of a company or deal; None where nothing is wrong. event: its name, or `group`."""
    if event in ("group", ACCOUNT_LEFT) and account_key(properties) is None:
        return Flaw("group_id", "It does not say which company.", f"send group_id as text of at most {MAX_KEY} characters")
    if event != DEAL_UPDATED:
        return None
    if deal_key(properties) is None:
        return Flaw("deal_id", "It does not say which deal.", f"send deal_id as text of at most {MAX_KEY} characters")
    if properties.get("status") not in (None, *DEAL_STATUSES):
        return Flaw("status", "The status is not known.", f"send one of {', '.join(DEAL_STATUSES)}, or leave it out")
    return None


def _key(value: Any) -> str | None:
    if type(value) is int:
        value = str(value)
    if type(value) is not str or not (value := value.strip()) or len(value) > MAX_KEY or not value.isprintable():
        return None
    return value
