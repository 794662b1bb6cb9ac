"""What a fake accepted: counted by an oracle, so nothing is ever taken out of it."""

import json
from collections import Counter
from pathlib import Path
from typing import IO, Any


class Record:
    """An append-only list, and a JSON line per entry in `path` if one is given (flushed before the client is answered)."""

    def __init__(self, path: Path | None = None) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.refused: Counter[str] = Counter()
        self._file: IO[str] | None = path.open("a", encoding="utf-8") if path else None

    def accept(self, entry: dict[str, Any]) -> None:
        self.accepted.append(entry)
        if self._file is not None:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._file.flush()

    def refuse(self, reason: str) -> None:
        self.refused[reason] += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Script:
    """Which fault an address meets next: what was scripted for it by a control call, else what its pattern says. Deterministic."""

    def __init__(self) -> None:
        self._queued: dict[str, list[str]] = {}
        self._met: Counter[str] = Counter()

    def put(self, address: str, faults: list[str]) -> None:
        """The next `len(faults)` attempts to this address ("*": to any) meet these, in this order."""
        self._queued.setdefault(address, []).extend(faults)

    def next(self, address: str, pattern: str) -> str:
        """`pattern` is the fault of the address itself; one that ends in "-once" is met by its first attempt only."""
        for key in (address, "*"):
            if self._queued.get(key):
                return self._queued[key].pop(0)
        if pattern.endswith("-once"):
            self._met[address] += 1
            return pattern.removesuffix("-once") if self._met[address] == 1 else ""
        return pattern
