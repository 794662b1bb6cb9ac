"""`otklik publish FILE...`: documents of YAML files saved and published together, or none of them."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.door import Door
from deploy.local.errors import LocalRunError
from services.gateway.domain.mechanics import fitted


def run(files: Sequence[Path], brand: str | None, *, url: str | None, key: str | None) -> int:
    """Returns the exit code. brand: in place of the one that the ready documents are written for."""
    documents = [document for file in files for document in read(file, brand)]
    with Door(url, key) as door:
        try:
            told = door.call("POST", "/documents/import", content=json.dumps({"documents": documents}))
        except httpx.HTTPError as error:
            raise LocalRunError(f"the installation does not answer ({type(error).__name__})") from error
    for one in told["documents"]:
        print(f"{one['kind']:10} {one['key']:30} version {one['version']}{'' if one['changed'] else ', as it was'}")
    return 0


def read(file: Path, brand: str | None) -> Iterator[dict[str, Any]]:
    """The documents of a file: `{"kind", "body"}` each, several behind `---` or in a list `documents`. Raises LocalRunError."""
    try:
        found = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise LocalRunError(f"{file} cannot be read: {error}") from None
    for place, part in enumerate(one for one in found if one is not None):
        documents = part.get("documents", [part]) if isinstance(part, dict) else [part]
        for one in documents:
            if not isinstance(one, dict) or not isinstance(one.get("body"), dict) or "kind" not in one:
                raise LocalRunError(f"{file}: document {place + 1} has no `kind` and `body`")
            yield {"kind": one["kind"], "body": one["body"] if brand is None else fitted(one["body"], brand)}
