"""The documents that are shipped to begin from (deploy/journeys, deploy/segments, docs/mechanics), as those of a brand of a test."""

from pathlib import Path
from typing import Any

from deploy import publishing

JOURNEYS = Path(__file__).parents[2] / "deploy/journeys"
SEGMENTS = JOURNEYS.with_name("segments")
MECHANICS = JOURNEYS.parents[1] / "docs/mechanics"
MENTIONS = frozenset(("key", "template", "segment", "exit_segment", "parent", "topic"))  # fields that name a document of the file


def ready(file: str, brand: str, folder: Path = JOURNEYS) -> list[dict[str, Any]]:
    """`[{"kind", "body"}]` with the brand in every key."""
    documents = list(publishing.read(folder / f"{file}.yaml", None))
    keys = {one["body"]["key"] for one in documents}

    def renamed(node: Any, field: str = "") -> Any:
        if isinstance(node, dict):
            return {name: brand if name == "brand" else renamed(value, name) for name, value in node.items()}
        if isinstance(node, list):
            return [renamed(value, field) for value in node]
        return f"{brand}-{node}" if field in MENTIONS and node in keys else node

    return [{"kind": one["kind"], "body": renamed(one["body"])} for one in documents]
