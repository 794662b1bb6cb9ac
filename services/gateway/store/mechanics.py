"""The folder of ready-made mechanics (docs/mechanics), as it is shipped."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from services.gateway.domain.mechanics import About, Mechanic

FOLDER = Path(__file__).parents[3] / "docs" / "mechanics"  # beside `services` in the checkout, the wheel and the image
ABOUT = "mechanic.json"


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Mechanic]:
    """By name. They do not change while a process lives."""
    found = {file.parent.name: _read(file.parent) for file in sorted(FOLDER.glob(f"*/{ABOUT}"))}
    if not found:
        raise FileNotFoundError(f"there are no mechanics in {FOLDER}: ship the folder docs/mechanics beside `services`")
    return found


def _read(folder: Path) -> Mechanic:
    about = About.model_validate(json.loads((folder / ABOUT).read_text(encoding="utf-8")))
    documents = [one for file in sorted(folder.glob("*.yaml")) for one in _documents(file)]
    return Mechanic(about=about, documents=tuple(documents))


def _documents(file: Path) -> Iterator[dict[str, Any]]:
    for part in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        yield from part.get("documents", [part]) if part is not None else ()
