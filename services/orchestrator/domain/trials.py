"""The documents under which a rehearsal plays: those in force, with a draft among them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel

from schemas.campaigns import Campaign
from schemas.controls import gate_of
from schemas.definitions import Published
from schemas.steps import SetAttributes, Subscription
from schemas.unnamed import conditions
from services.orchestrator.domain import book as books
from services.orchestrator.domain import trial_launches
from services.orchestrator.domain.book import Book, build
from services.orchestrator.domain.mailings import Launched

# What else is in force when a draft is rehearsed. Bots speak with people and are not played; of campaigns only the one that is tried is launched.
AROUND = ("journey", "rule", "brand", "template", "promo-pool", "gate", "campaign")


class Draft(NamedTuple):
    """kind: `journey`, `rule` or `campaign`. body: as the document's JSON. launch_at: of a campaign, when it is launched; until: the end
    of the days in which its start is to come (ms).
    """

    kind: str
    key: str
    body: Mapping[str, Any]
    launch_at: int = 0
    until: int = 0


class World(NamedTuple):
    """version: of the draft: that in force if it is just this, else the next one. conditions: what the draft asks about
    people and nobody answers yet, by key: a campaign's are asked from its launch on.
    """

    book: Book
    version: int
    conditions: Mapping[str, Any]

    @property
    def launched(self) -> Launched | None:
        """Of a campaign: the only launch that is played."""
        return next(iter(self.book.launches.values()), None)


def in_force(documents: Iterable[Published], but: str | None = None) -> Book:
    """but: the key of the only journey that is played, "": none is, None: all are."""
    return build([one for one in documents if _stays(one) and (but is None or one.kind != "journey" or one.key == but)])


def tried(documents: Sequence[Published], draft: Draft, *, alone: bool = False) -> World:
    """With the draft in the place of what is in force under its key, its gate open. alone: no other journey is played."""
    own = [one for one in documents if (one.kind, one.key) == (draft.kind, draft.key)]
    gate = ("gate", gate_of(draft.key) if draft.kind == "journey" else "")
    around = [one for one in documents if one not in own and _stays(one) and (one.kind, one.key) != gate]
    others = [one for one in around if not (alone and one.kind == "journey")]
    current = next((one for one in own if one.pointer), None)
    same = current is not None and msgspec.json.decode(bytes(current.body)) == draft.body
    version = current.version if same and current is not None else max((one.version for one in own), default=0) + 1
    if same and current is not None and draft.kind != "campaign":
        return World(build([*others, current]), version, {})
    model: BaseModel = books.MODELS[draft.kind].model_validate(draft.body)
    asks = {key: one.model_dump(mode="json", by_alias=True, exclude_none=True) for key, one in conditions(model, version).items()}
    return World(build([*others, *_new(draft, model, version)]), version, asks)


def _new(draft: Draft, model: BaseModel, version: int) -> list[Published]:
    if isinstance(model, Campaign):
        start = trial_launches.moved(model, draft.launch_at, draft.until)
        return trial_launches.documents(start, version, draft.launch_at)
    body = msgspec.Raw(msgspec.json.encode(draft.body))
    return [Published(kind=draft.kind, key=draft.key, version=version, body=body, pointer=True)]


def says_attributes(book: Book) -> bool:
    """Of attributes or words of consent: a step says something of people that conditions ask about."""
    return any(isinstance(step, SetAttributes | Subscription) for plan in book.plans.values() for step in plan.steps.values())


def _stays(one: Published) -> bool:
    """Of templates every version: of one that is out of force the newest is sent."""
    return one.kind in AROUND and bool(bytes(one.body)) and (one.pointer or one.kind == "template")
