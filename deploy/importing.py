"""`otklik import FILE --mapping M`: a preview, the upload, and the import's progress. The same command again goes on where it was."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.door import Door
from deploy.local.errors import LocalRunError

PIECE = 4_000_000  # bytes a request
FIRST = 1_000_000  # bytes of a text file that a preview is made of; one more tells the service that it is cut there
LOOK_S = 0.5
TRIES = 8
SHOWN = 5
READY = Path(__file__).parent / "imports"


def run(file: Path, mapping: Path | None, *, only_preview: bool, url: str | None, key: str | None) -> int:
    """Returns the exit code: 0 all rows were taken, 1 some were not, or the import failed."""
    if not file.is_file():
        raise LocalRunError(f"there is no file {file}")
    document = _document(mapping) if mapping else None
    with Door(url, key) as door:
        try:
            return _bring(door, file, document, only_preview=only_preview)
        except httpx.HTTPError as error:
            raise LocalRunError(f"the line is gone ({type(error).__name__}); the same command again goes on from here") from error


def _bring(door: Door, file: Path, document: dict[str, Any] | None, *, only_preview: bool) -> int:
    console, told = Console(), _preview(door, file, document)
    _show(console, told)
    if document is None:
        console.print("\nA mapping to begin from; save it, look it through, and name it with --mapping:\n")
        console.print(yaml.safe_dump(told["mapping"], allow_unicode=True, sort_keys=False), markup=False)
        return 0
    if told["errors"] or only_preview:
        return 1 if told["errors"] else 0
    with Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console
    ) as progress:
        job = _upload(door, file, json.dumps(document), progress)
    return _watch(door, job, file, console)


def _document(mapping: Path) -> dict[str, Any]:
    path = mapping if mapping.exists() else READY / f"{mapping}.yaml"
    if not path.exists():
        ready = ", ".join(sorted(one.stem for one in READY.glob("*.yaml")))
        raise LocalRunError(f"there is no mapping {mapping}; ready ones: {ready}")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise LocalRunError(f"{path} is no YAML: {error}") from None
    if not isinstance(found, dict):
        raise LocalRunError(f"{path} holds no mapping")
    return found


def _preview(door: Door, file: Path, document: dict[str, Any] | None) -> dict[str, Any]:
    with file.open("rb") as data:
        workbook = data.read(4) == b"PK\x03\x04"
        data.seek(0)
        content = data.read(-1 if workbook else FIRST + 1)
    form = {"file": (file.name, content)} | ({"mapping": (None, json.dumps(document))} if document else {})
    return door.call("POST", "/imports/preview", files=form)


def _show(console: Console, told: dict[str, Any]) -> None:
    read_as = ", ".join(str(told[name]) for name in ("format", "encoding", "delimiter", "sheet") if told[name]).replace("\t", "tab")
    console.print(f"read as {read_as}; columns: {', '.join(told['columns'])}", markup=False)
    if told["note"]:
        console.print(told["note"], markup=False)
    table = Table("fact", "about", "says")
    for fact in told["facts"][:SHOWN]:
        said = {**fact.get("attributes", {}), **fact.get("properties", {})}
        table.add_row(fact.get("event") or fact["type"], ", ".join(fact["identifiers"]), json.dumps(said, ensure_ascii=False)[:200])
    console.print(table)
    for bad in told["bad"]:
        console.print(f"line {bad['line']}: {bad['reason']}", markup=False)
    for fault in told["errors"]:
        console.print(f"{fault['path']}: {fault['message']} Mend: {fault['mend']}", markup=False)


def _upload(door: Door, file: Path, document: str, progress: Progress) -> str:
    """The import's id once all of the file is there. What an earlier try brought is not sent again."""
    size = file.stat().st_size
    once = hashlib.sha256(document.encode())
    with file.open("rb") as data:
        while block := data.read(PIECE):
            once.update(block)
    begun = {"Idempotency-Key": once.hexdigest(), "Upload-Complete": "?0"}
    bar, tries = progress.add_task("sending", total=size), 0
    while True:
        try:
            job = door.call("POST", "/imports", params={"mapping": document, "name": file.name}, headers=begun)
            for offset in _pieces(door, file, job, size):
                progress.update(bar, completed=offset)
                tries = 0
            progress.update(bar, completed=size)
            return str(job["id"])
        except httpx.TransportError:
            tries += 1
            if tries > TRIES:
                raise
            time.sleep(min(10.0, 0.5 * 2**tries))


def _pieces(door: Door, file: Path, job: dict[str, Any], size: int) -> Iterator[int]:
    """Sends what is missing; gives how much is there after each request."""
    offset = job["offset"]
    with file.open("rb") as data:
        while offset is not None:
            data.seek(offset)
            block = data.read(PIECE)
            last = offset + len(block) >= size
            headers = {
                "Upload-Offset": str(offset),
                "Upload-Complete": "?1" if last else "?0",
                "Content-Type": "application/octet-stream",
            }
            answer = door.call("PATCH", f"/imports/{job['id']}", also=(409,), content=block, headers=headers)
            offset = answer["offset"]
            yield offset
            if last and "id" in answer:
                return


def _watch(door: Door, job: str, file: Path, console: Console) -> int:
    rate = TextColumn("{task.fields[rate]} rows/s, {task.fields[bad]} bad")
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, console=console) as progress:
        bar = progress.add_task("importing", total=None, rate="-", bad=0)
        while True:
            told = door.call("GET", f"/imports/{job}")
            progress.update(bar, completed=told["lines"], total=told["total"], rate=told["rate"] or "-", bad=told["refused"])
            if told["state"] in {"done", "failed"}:
                break
            time.sleep(LOOK_S)
    console.print(
        f"{told['state']}: {told['lines']} rows, {told['facts']} facts, {told['repeats']} known before, {told['refused']} bad"
    )
    if told["error"]:
        console.print(told["error"], markup=False)
    if told["refused"]:
        bad = file.with_name(f"{file.stem}.bad.csv")
        door.save(f"/imports/{job}/bad", bad)
        then = "mend them in yours and import it again" if told["format"] == "jsonl" else "mend them and import that file"
        console.print(f"bad rows with their reasons: {bad}; {then}", markup=False)
    return 0 if told["state"] == "done" and not told["refused"] else 1
