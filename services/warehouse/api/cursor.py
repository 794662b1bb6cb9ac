"""Where a page of what is newest first goes on."""

from typing import NamedTuple


class Cursor(NamedTuple):
    """Only what stands before this place."""

    at: int
    partition: int
    offset: int

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Raises ValueError."""
        at, partition, offset = map(int, text.split("."))
        if not (0 <= at <= LATEST.at and 0 <= partition <= LATEST.partition and 0 <= offset <= LATEST.offset):
            raise ValueError(text)
        return cls(at, partition, offset)

    def __str__(self) -> str:
        return f"{self.at}.{self.partition}.{self.offset}"


LATEST = Cursor(253_402_300_799_999, 2**31 - 1, 2**63 - 1)
