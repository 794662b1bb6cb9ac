"""A lake on the disk without Kafka and PostgreSQL: what the warehouse would write of these facts, and a look at it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from runtime.following import News
from runtime.kafka import Place
from runtime.lake import column
from runtime.parted import Parted
from schemas.facts import Fact, encode
from schemas.messages import Decision
from services.warehouse.domain import sheets
from services.warehouse.domain.names import may_have_column
from services.warehouse.domain.walk import Stored
from services.warehouse.files import Files, Target

_stored = msgspec.json.Decoder(Stored)


class Written:
    """Each `add` is a batch of one partition: one more file."""

    def __init__(self, home: Path, identity: str = "one") -> None:
        self._folder, self._identity = home / "lake", identity
        self._files = Files(self._folder, threads=1)
        self.written: list[tuple[str, int]] = []
        self.verdicts: list[tuple[str, int]] = []
        self.passed: dict[Place, int] = {}
        self.properties: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
        self.erased: list[str] = []
        self.parts: list[Parted] = []

    def add(self, facts: Sequence[Fact], topic: str = "facts", partition: int = 0) -> None:
        first = self.passed.get((topic, partition), 0)
        rows = [(topic, partition, first + n, _stored.decode(encode(fact))) for n, fact in enumerate(facts)]
        sheet = sheets.facts(rows)
        sheet.spill([key for key in sheet.cells if may_have_column(key)])
        for key in sheet.cells:
            known = self.properties.setdefault((key.event, key.scope), [])
            found = (key.path, key.kind, column(key.scope, key.path, key.kind))
            if found not in known:
                known.append(found)
        self.written.append((self._files.write(sheet, len(self.written)).file, len(rows)))
        self.passed[topic, partition] = first + len(rows)

    def decide(self, decisions: Sequence[Decision], partition: int = 0) -> None:
        """A batch of verdicts."""
        first = self.passed.get(("decisions", partition), 0)
        sheet = sheets.decisions([("decisions", partition, first + n, one) for n, one in enumerate(decisions)])
        self.verdicts.append((self._files.write(sheet, 500_000 + len(self.verdicts)).file, len(decisions)))
        self.passed["decisions", partition] = first + len(decisions)

    def merge(self) -> None:
        """All files into one."""
        sources = [file for file, _ in self.written]
        whole = self._files.merge("facts", sources, Target(None, 1, 1000 + len(sources)))
        self.written = [(whole.file, whole.rows)]

    def look(self, had: dict[Place, int]) -> News:
        state = f"{self._identity}/{len(self.erased)}/{len(self.parts)}"
        return News(
            self._identity,
            self._folder,
            list(self.written),
            list(self.written),
            had,
            dict(self.passed),
            self.properties,
            self.erased,
            self.parts,
            state,
            list(self.verdicts),
        )

    def close(self) -> None:
        self._files.close()
