"""One call of the management API within its transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.db import Connection
from runtime.settings import Settings
from services.gateway.domain.access import Key
from services.gateway.domain.problems import Language
from services.gateway.store import keys


@dataclass(frozen=True, slots=True)
class Call:
    """key: whose call; now: real time, ms, for keys and the audit (published documents carry the installation's clock); language: in which
    what is no problem is told.
    """

    connection: Connection
    key: Key
    now: int
    settings: Settings
    language: Language = "en"

    async def audit(self, action: str, what: str, **detail: Any) -> None:
        await keys.audit(self.connection, self.key.id, self.now, action, what, detail)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets when the transaction has committed."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
