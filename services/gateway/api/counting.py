"""What reports ask of the audience service: figures over everybody's history, which may take their time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import msgspec

from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.problems import Fault, Problem

PATIENCE_S = 120.0  # a year of a large base takes seconds, and questions wait for their turn


class RefusedError(Exception):
    """The audience service cannot answer this as it is asked. faults: its own, {path, code, message, params?}."""

    def __init__(self, faults: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("; ".join(f"{one['path']}: {one['message']}" for one in faults))
        self.faults = faults

    def problem(self, place: Callable[[str], str] = str) -> Problem:
        """The same for whoever asked us. place: a path of the question -> what he calls it."""
        return Problem("invalid", [fault_of(one, place(one["path"])) for one in self.faults])


def fault_of(one: Mapping[str, Any], path: str) -> Fault:
    """With params the catalogue has words for it in both languages."""
    params = one.get("params") or {}
    return Fault(path, one["code"], "" if params else one["message"], params)


async def counted(neighbours: Neighbours, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Its answer. Raises RefusedError, or Problem `service_unavailable`."""
    answer = await neighbours.stream("POST", "audience", path, seconds=PATIENCE_S, json=body)
    try:
        told: dict[str, Any] = msgspec.json.decode(await answer.aread())
    except (httpx.HTTPError, msgspec.DecodeError) as error:
        raise Problem("service_unavailable", service="audience") from error
    finally:
        await answer.aclose()
    if answer.status_code == 422:
        raise RefusedError(told["errors"])
    if answer.status_code != 200:
        raise Problem("service_unavailable", service="audience")
    return told
