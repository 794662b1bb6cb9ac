"""How often each table of the index has changed: an answer holds as long as what it was read from."""

from collections.abc import Iterable

Part = tuple[str, str]  # ("event", its name), ("attribute", its name), ("people", ""), ("new", "")


class Versions:
    """A number for each part, which grows whenever it changes."""

    def __init__(self, held: dict[Part, int] | None = None, count: int = 0) -> None:
        self._held, self._count = held or {}, count

    def move(self, parts: Iterable[Part]) -> None:
        self._count += 1
        self._held = {**self._held, **dict.fromkeys(parts, self._count)}

    def copy(self) -> "Versions":
        return Versions(self._held, self._count)

    def of(self, parts: Iterable[Part]) -> tuple[int, ...]:
        return tuple(self._held.get(part, 0) for part in parts)
