"""What is still used by versions of journeys that are out of force, because people stand in them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from services.gateway.domain.problems import Problem
from services.gateway.domain.standing import in_use
from services.gateway.handler.call import Call
from services.gateway.store import documents

Stands = Callable[[str], Awaitable[Mapping[str, Any]]]  # journey -> what the orchestrator says of who stands where


async def refuse_used(call: Call, kind: str, key: str, stands: Stands) -> None:
    """Raises Problem `stood_in` for a document that such a version mentions. Those in force are asked when it is withdrawn."""
    versions: dict[str, set[int]] = {}
    for journey, version in await documents.mentioning(call.connection, kind, key):
        versions.setdefault(journey, set()).add(version)
    by = [
        f"journey {journey}@{version}"
        for journey, mentioning in versions.items()
        for version in sorted(mentioning & in_use((await stands(journey))["versions"]))
    ]
    if by:
        raise Problem("stood_in", by=", ".join(by))
