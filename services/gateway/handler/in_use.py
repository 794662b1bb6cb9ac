"""What is still used by versions of journeys that are out of force, because people stand in them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from services.gateway.domain.problems import Problem
from services.gateway.domain.standing import in_use
from services.gateway.handler.call import Call
from services.gateway.store import documents

Stands = Callable[[str], Awaitable[Mapping[str, Any]]]  # journey -> what the orchestrator says of who stands where
Versions = frozenset[tuple[str, int]]  # (journey, version) of those out of force that mention a document


async def mentioning(call: Call, kind: str, key: str) -> Versions:
    """Those in force are asked when it is withdrawn."""
    return frozenset(await documents.mentioning(call.connection, kind, key))


async def refuse_used(versions: Versions, stands: Stands) -> None:
    """Raises Problem `stood_in` where people stand in any of them. It asks, so it is for no transaction."""
    used = {journey: in_use((await stands(journey))["versions"]) for journey in sorted({journey for journey, _ in versions})}
    _refuse([(journey, version) for journey, version in versions if version in used[journey]])


async def refuse_unasked(call: Call, kind: str, key: str, asked: Versions) -> None:
    """Raises Problem `stood_in` where one went out of force since it was asked who stands where: people may stand in it."""
    _refuse(await mentioning(call, kind, key) - asked)


def _refuse(used: Iterable[tuple[str, int]]) -> None:
    if by := [f"journey {journey}@{version}" for journey, version in sorted(used)]:
        raise Problem("stood_in", by=", ".join(by))
