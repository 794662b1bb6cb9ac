"""What came of a document, counted over the verdicts of everybody."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.aliases import Merge, know_aliases
from runtime.lake import Snapshot, connect
from schemas.ids import derive
from services.warehouse.api.stats import of_document

ANN, ANNA, BOB = (derive("person", name) for name in ("ann", "anna", "bob"))
TOLD = [
    (ANNA, "entered", "", "", "r1"), (ANNA, "deferred", "hi", "quiet_hours", "r1"), (ANN, "deferred", "hi", "quiet_hours", "r1"),
    (ANN, "sent", "hi", "", "r1"), (ANNA, "sent", "hi", "", "r1"), (BOB, "entered", "", "", "r2"), (BOB, "left", "", "end", "r2"),
    (BOB, "skipped", "", "audience", "r3"), (BOB, "skipped", "hi", "consent", "r2"), (BOB, "exposed", "split", "arm:x", "r2"),
]  # fmt: skip


class Told(Snapshot):
    """These verdicts instead of files."""

    def table(self, *_asked: Any, **_more: Any) -> str:
        return "told"


async def test_of_people_who_became_one_a_letter_counts_once(tmp_path: Path) -> None:
    connection = connect(tmp_path, 1, "100MB")
    know_aliases(connection, [Merge(ANNA, ANN, 5)], [])
    connection.execute(
        "CREATE TABLE told (profile UUID, verdict VARCHAR, step VARCHAR, rule VARCHAR, occurrence VARCHAR, document VARCHAR, brand VARCHAR)"
    )
    for row in TOLD:
        connection.execute("INSERT INTO told VALUES (?, ?, ?, ?, ?, 'journey:j', 'shop')", row)
    snapshot = Told(tmp_path, connection, (), {}, {})
    assert await counted(snapshot, ["shop"]) == {
        "entered": 2, "refused": {"audience": 1}, "moved": 0, "ended": {"end": 1},
        "steps": {"hi": {"deferred": 1, "sent": 1, "skipped": {"consent": 1}}, "split": {"exposed": {"x": 1}}},
    }  # fmt: skip
    assert (await counted(snapshot, ["other"]))["entered"] == 0
    snapshot.close()


async def counted(snapshot: Snapshot, brands: Sequence[str]) -> dict[str, Any]:
    return await of_document(snapshot, "journey:j", brands)
