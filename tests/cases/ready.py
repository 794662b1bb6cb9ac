"""The documents that are shipped to begin from (deploy/journeys), as those of a brand of a test."""

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deploy/journeys"
MENTIONS = frozenset(("key", "template", "segment", "exit_segment", "parent", "topic"))  # fields that name a document of the file


def ready(file: str, brand: str) -> list[dict[str, Any]]:
    """`[{"kind", "body"}]` with the brand in every key."""
    documents = [one for one in yaml.safe_load_all((FOLDER / f"{file}.yaml").read_text(encoding="utf-8")) if one]
    keys = {one["body"]["key"] for one in documents}

    def renamed(node: Any, field: str = "") -> Any:
        if isinstance(node, dict):
            return {name: brand if name == "brand" else renamed(value, name) for name, value in node.items()}
        if isinstance(node, list):
            return [renamed(value, field) for value in node]
        return f"{brand}-{node}" if field in MENTIONS and node in keys else node

    return [{"kind": one["kind"], "body": renamed(one["body"])} for one in documents]
