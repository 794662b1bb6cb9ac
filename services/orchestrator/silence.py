"""Which conditions the segmenter answers already: it says so once for each partition, when everybody there has been asked."""

from collections.abc import Callable, Iterable, Mapping

from schemas.ids import partition_of
from schemas.unnamed import UNNAMED
from services.orchestrator.domain.book import Book
from services.orchestrator.domain.state import Place
from services.orchestrator.store import Marks


class Silence:
    """What this process knows of it. Only what is committed counts; what was answered once always is."""

    def __init__(self, partitions: int) -> None:
        self.book: Book | None = None
        self.partitions = partitions
        self._answered: set[tuple[str, int]] = set()  # condition, partition
        self._complete: set[int] = set()  # partitions in which every condition of the book is answered
        self._moving: set[tuple[str, int]] = set()

    def begin(self, book: Book, answered: Iterable[tuple[str, int]]) -> None:
        """Another book rules."""
        self.book = book
        self._complete.clear()
        self._answered.update(answered)

    def known(self, marks: Marks) -> None:
        """Marks as they were read from the base."""
        self._answered.update(_answered(marks))

    def moving(self, marks: Marks) -> None:
        """Marks that the transaction at hand moves."""
        self._moving = set(_answered(marks))

    def committed(self) -> None:
        self._answered |= self._moving
        self._moving = set()

    def about(self, profile: str, heard: Callable[[Place], bool]) -> Mapping[str, Place]:
        """The conditions that are not answered about somebody yet, as `Book.silent`. heard: of marks read in this transaction."""
        partition = partition_of(profile, self.partitions)
        if self.book is None or partition in self._complete:
            return {}
        unanswered = [key for key in self.book.conditions if (key, partition) not in self._answered]
        if not unanswered:
            self._complete.add(partition)
            return {}
        return {key: (key, partition, 0) for key in unanswered if not heard((key, partition, 0))}


def _answered(marks: Marks) -> list[tuple[str, int]]:
    return [place for place, mark in marks.items() if place[0].startswith(UNNAMED) and mark.next_offset > 0]
