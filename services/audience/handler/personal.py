"""Gets personal attributes from profile when a question names one, and forgets them a moment later."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from runtime.neighbours import Neighbour
from runtime.process import Context
from services.audience.settings import AudienceSettings
from services.audience.store.index import Index
from services.audience.store.personal import Told

LINE_S = 20.0  # the first line comes when profile has taken in what changed
AT_ONCE = 20_000  # values
MOST = 4  # attributes that are held; of a question with more, while it is answered

_decode = msgspec.json.Decoder(tuple[str, msgspec.Raw]).decode


class Personal:
    """What profile has told. Forgotten `personal_s` after it was asked for, whoever asks meanwhile."""

    def __init__(self, context: Context, profile: Neighbour, index: Index, settings: AudienceSettings) -> None:
        self._context, self._profile, self._index, self._settings = context, profile, index, settings
        self._held: dict[str, tuple[int, Told]] = {}  # by name, with the building of the index that its numbers are of
        self._one = asyncio.Lock()

    async def bring(self, names: Collection[str]) -> Mapping[str, Told]:
        """These attributes of everybody; under the driven clock, where a minute is any time, read anew. Raises Unreachable, or TooMany."""
        anew, found = self._context.clock.state.driven, dict[str, Told]()
        async with self._one:
            for name in sorted(names):
                building, told = self._held.get(name, (-1, None))
                if anew or told is None or building != self._index.building:
                    building = self._index.building
                    told = await self._read(name)
                    self._keep(name, building, told)
                found[name] = told
        return found

    def _keep(self, name: str, building: int, told: Told) -> None:
        self._held.pop(name, None)
        one = self._held[name] = building, told
        for oldest in list(self._held)[:-MOST]:
            del self._held[oldest]

        def forget() -> None:
            if self._held.get(name) is one:
                del self._held[name]

        asyncio.get_running_loop().call_later(self._settings.personal_s, forget)

    async def _read(self, name: str) -> Told:
        told = Told(self._settings.personal_memory)
        rows: list[tuple[str, str]] = []
        async for line in self._profile.lines(f"/attributes/{name}/values", LINE_S):
            person, value = _decode(line)
            rows.append((person, bytes(value).decode()))
            if len(rows) == AT_ONCE:
                await asyncio.to_thread(told.add, rows)
                rows = []
        await asyncio.to_thread(self._finish, told, rows)
        return told

    def _finish(self, told: Told, rows: list[tuple[str, Any]]) -> None:
        told.add(rows)
        with self._index.instant() as instant:
            told.number(instant)
