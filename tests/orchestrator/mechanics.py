"""A driven world with ready-made mechanics, as they are shipped, with the delays of their rows."""

from dataclasses import replace
from typing import Any

from schemas.journeys import dump
from schemas.parameters import Instance, Pattern
from schemas.unnamed import SCHEDULED, condition_key, date_key
from services.gateway.domain.kinds import kept, text_of
from services.gateway.domain.mechanics import Install, made
from services.gateway.domain.patterns import made_of
from services.gateway.handler.documents import _in_order, read_import
from services.gateway.store.mechanics import shipped
from services.orchestrator.domain.codes import Shelf
from tests.orchestrator.pools import Pools
from tests.orchestrator.world import T0, published

KNOWN = ("journey", "rule", "promo-pool")  # what the orchestrator decides by


class Played(Pools):
    """codes: pool -> how many it has. Its sender takes each message at once, unless `prompt` is False."""

    def __init__(self, *names: str, also: Any = (), at: int = T0, prompt: bool = True, codes: Any = None, **values: Any) -> None:
        found = [one for name in names for one in made(shipped()[name], Install(brand="shop", parameters=values))]
        self.journeys: dict[str, Any] = {}
        documents, patterns = [], {}
        for _, kind, document in _in_order(read_import({"documents": found})):
            if isinstance(document, Pattern):
                patterns[document.key] = document
                continue
            if isinstance(document, Instance):
                document = kept("journey", made_of(document, patterns[document.of]))
            if kind.name in KNOWN:
                body = text_of(document)
                if "date" in body.get("trigger", {}):  # as it is when it is published
                    body["trigger"]["date"].setdefault("zone", "UTC")
                    document = kept("journey", body)
                documents.append(published(kind.name, dump(document)))
                if kind.name == "journey":
                    self.journeys[body["key"]] = document
        self.pools = frozenset(one["body"]["key"] for one in found if one["kind"] == "promo-pool")
        super().__init__(*documents, *also, at=at, prompt=prompt, codes=codes or {})
        self.began = at

    def _shelf(self) -> Shelf:
        shelf = super()._shelf()
        return replace(shelf, dry=shelf.dry | self.pools)

    def does(self, who: str, event: str, **properties: Any) -> str:
        return self.fact(who, event, properties=properties)

    def meets(self, who: str, journey: str, part: str, change: str = "entered") -> None:
        """The segmenter answers a condition of a step, of the audience, or (`schedule`) of whom a schedule is for."""
        own = {"schedule": SCHEDULED}.get(part, part)
        self.membership(who, condition_key("journey", journey, 1, own), change)

    def day_of(self, who: str, journey: str) -> None:
        """The day of the journey's trigger by date has begun."""
        self.membership(who, date_key(journey, self.journeys[journey].trigger), why="time")

    def got(self, who: str | None = None) -> list[tuple[str, int]]:
        """(template, how long after the beginning)"""
        return [(i.template, i.received_at - self.began) for i in self.intents if who is None or i.profile == who]

    def attributes(self) -> dict[str, Any]:
        """What the mechanics have said of people."""
        facts = [e for e in self.log if type(e).__name__ == "Fact"]
        return {name: value for fact in facts for name, value in (fact.attributes or {}).items()}


def one(*names: str, kinds: str = "email phone", **more: Any) -> Played:
    """A world with one person `p`."""
    world = Played(*names, **more)
    world.person("p", kinds=kinds)
    return world
