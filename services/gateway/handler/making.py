"""What is put in force of a document: the journey that another one with parameters comes to, and the time zone of its brand."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from schemas.journeys import Brand, Journey
from schemas.parameters import OF, WITH, Instance, Pattern
from schemas.triggers import DateTrigger
from services.gateway.domain.kinds import KINDS, read_whole
from services.gateway.domain.patterns import made_of, placed
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.references import Standing, check
from services.gateway.handler.call import Call
from services.gateway.store import documents

World = Mapping[tuple[str, str], Standing]


async def whole(call: Call, key: str, document: BaseModel, world: World) -> BaseModel:
    """What a draft would be put in force as, were it published now. Raises Problem `invalid`: what it is made of is not there, or it has
    parameters, and then what is made of it would be.
    """
    if isinstance(document, Pattern):
        raise Problem("invalid", [Fault("", "is_pattern", params={"key": key})])
    if isinstance(document, Instance) and (faults := check("journey", key, document, world)):
        raise Problem("invalid", faults)
    return await Making(call, world).whole(document)


class Making:
    """Of one transaction of publishing."""

    def __init__(self, call: Call, world: World) -> None:
        self._call, self._world = call, world
        self._patterns: set[str] = set()
        self._done: set[str] = set()

    async def whole(self, document: BaseModel) -> BaseModel:
        """The document as it is published. Raises Problem `invalid`, at the values that are wrong."""
        if isinstance(document, Instance):
            document = await self._made(document)
        if isinstance(document, Journey) and isinstance(document.trigger, DateTrigger) and document.trigger.date.zone is None:
            brand = await self._body("brand", document.brand) or {}
            date = document.trigger.date.model_copy(
                update={"zone": brand.get("time_zone", Brand.model_fields["time_zone"].default)}
            )
            return document.model_copy(update={"trigger": document.trigger.model_copy(update={"date": date})})
        return document

    def published(self, key: str, document: BaseModel) -> None:
        """Note what was, for `outdated`."""
        if isinstance(document, Pattern):
            self._patterns.add(key)
        elif isinstance(document, Journey):
            self._done.add(key)

    async def outdated(self, world: World) -> list[Instance]:
        """Journeys in force that are made of what was published since, with the values that were given for them."""
        found = []
        for kind, key in sorted(world):
            if (
                kind != "journey"
                or key in self._done
                or world[kind, key].refs.isdisjoint(f"journey:{one}" for one in self._patterns)
            ):
                continue
            body = await self._body(kind, key) or {}
            if body.get(OF) in self._patterns:
                found.append(Instance(key=key, brand=body["brand"], of=body[OF], values=body.get(WITH) or {}))
        return found

    async def _made(self, instance: Instance) -> Journey:
        body = await self._body("journey", instance.of)
        assert body is not None, "its references were checked"
        pattern = Pattern.model_validate(body)
        whole = made_of(instance, pattern)
        try:
            journey = read_whole(KINDS["journey"], whole)
        except Problem as problem:
            raise Problem("invalid", placed(problem.faults, instance, pattern)) from problem
        faults = check("journey", instance.key, journey, self._world)
        if faults:
            raise Problem("invalid", placed(faults, instance, pattern))
        assert isinstance(journey, Journey)
        return journey

    async def _body(self, kind: str, key: str) -> dict[str, Any] | None:
        standing = self._world.get((kind, key))
        return await documents.body(self._call.connection, kind, key, standing.version) if standing else None
