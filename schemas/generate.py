"""Writes the JSON Schemas of what others than our services may write: `python -m schemas.generate [--check]`.

A backend that writes `facts.raw` itself checks its facts against `schemas/json/fact.schema.json`.
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from schemas.facts import Fact

FOLDER = Path(__file__).parent / "json"


def schemas() -> dict[str, dict[str, Any]]:
    """Each generated file's name and content."""
    fact = msgspec.json.schema(Fact)
    for struct in fact["$defs"].values():  # newer Pythons strip the margin of docstrings, older ones keep it
        if "description" in struct:
            struct["description"] = inspect.cleandoc(struct["description"])
    return {"fact.schema.json": {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Fact", **fact}}


def rendered(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def stale(folder: Path = FOLDER) -> list[str]:
    """Names of the files in `folder` that are missing or differ from what the code says."""
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.schema.json")}
    return [name for name, schema in schemas().items() if found.get(name) != rendered(schema)]


def write(folder: Path = FOLDER) -> None:
    folder.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(rendered(schema), encoding="utf-8")


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
