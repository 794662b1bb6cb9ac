"""Writes what others may know of the topics: `python -m schemas.generate [--check]`.

`schemas/json/` holds the JSON Schema of each record and document, and all topics as one AsyncAPI document. A backend that writes
`facts.raw` itself checks its facts against `fact.schema.json`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from schemas import asyncapi, json_schemas

FOLDER = Path(__file__).parent / "json"


def files() -> dict[str, dict[str, Any]]:
    """Each generated file's name and content."""
    return {**json_schemas.schemas(), asyncapi.FILE: asyncapi.document()}


def rendered(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def stale(folder: Path = FOLDER) -> list[str]:
    """Names of the files in `folder` that are missing, differ from what the code says, or that it no longer makes."""
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    wanted = {name: rendered(content) for name, content in files().items()}
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


def write(folder: Path = FOLDER) -> None:
    folder.mkdir(exist_ok=True)
    for name in stale(folder):
        (folder / name).unlink(missing_ok=True)
    for name, content in files().items():
        (folder / name).write_text(rendered(content), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Exit code: 1 when `--check` finds a file that is out of date."""
    if "--check" not in arguments:
        write()
        return 0
    names = stale()
    if names:
        sys.stderr.write(f"out of date: {', '.join(names)}; run python -m schemas.generate\n")
    return 1 if names else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
