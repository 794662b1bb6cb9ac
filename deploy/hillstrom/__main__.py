"""`python -m deploy.hillstrom`: import the letters, report them, show every figure beside what other libraries make of the same rows."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo import stage
from deploy.demo.faults import DemoError
from deploy.demo.ways import Ways
from deploy.hillstrom import figures, letters, shown
from deploy.hillstrom.plot import draw
from deploy.local.errors import LocalRunError
from deploy.local.settings import LocalSettings
from schemas.attributes import date_ms

BRAND, KEY, SOURCE = "hillstrom", "hillstrom", "hillstrom-mailer"
AT_ONCE = 8_000  # rows an import: the bar moves, and no request waits for minutes
PLOT, NUMBERS = "hillstrom.png", "hillstrom.json"


def main() -> int:
    """0: every figure agrees; 1: one does not, or something is wrong, and it is said."""
    console = Console(highlight=False)
    try:
        settings = stage.brought_up(LocalSettings.from_environment(), console.print)
        if not asyncio.run(_there(settings)) and asyncio.run(stage.played_before(settings)):
            settings = stage.wiped(settings, console.print)
        return asyncio.run(_through(console, settings))
    except (LocalRunError, httpx.HTTPError) as error:
        console.print(f"hillstrom: {error}. Mend: make status, make logs; then make hillstrom again", style="red", markup=False)
        return 1


async def _there(settings: LocalSettings) -> bool:
    """Whether it was imported into this installation before."""
    async with Ways(settings) as ways:
        return any(one["key"] == KEY for one in await ways.pages("/api/experiments"))


async def _through(console: Console, settings: LocalSettings) -> int:
    async with Ways(settings) as ways:
        if not await _there(settings):
            await _bring(console, ways)
        results = await ways.get(f"/api/experiments/{KEY}/results")
        report = await ways.get("/api/reports/outcomes", **letters.outcomes(BRAND))
    ours = figures.flat(results, report)
    held = figures.held(ours, figures.expected("whole"))
    console.print(shown.table(results, ours))
    console.print(shown.agreement(held))
    console.print(_kept(settings, results, ours), soft_wrap=True)
    return 0 if all(one.agrees for one in held) else 1


def _kept(settings: LocalSettings, results: dict[str, Any], ours: figures.Flat) -> str:
    """Write the plot and the numbers; where they are."""
    numbers = settings.home / NUMBERS
    numbers.write_text(json.dumps(ours, indent=1) + "\n", encoding="utf-8")
    plot: Path = draw(results, settings.home / PLOT)
    return f"plot in {plot}\nnumbers in {numbers}"


async def _bring(console: Console, ways: Ways) -> None:
    rows = letters.load()
    await ways.drive(date_ms(letters.AFTER) or 0)
    await ways.post("/api/documents/import", {"documents": [{"kind": "brand", "body": {"key": BRAND, "name": "Hillstrom"}}]})
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(rows))
        for first in range(0, len(rows), AT_ONCE):
            await _imported(ways, letters.csv_of(rows[first : first + AT_ONCE]))
            progress.advance(task, min(AT_ONCE, len(rows) - first))
    await ways.post("/api/documents/import", {"documents": [{"kind": "experiment", "body": letters.experiment(BRAND, KEY)}]})
    await ways.settle()


async def _imported(ways: Ways, content: bytes) -> None:
    """One part of the file, until everything that it says is known. Raises DemoError."""
    asked = {"mapping": json.dumps(letters.mapping(BRAND, SOURCE)), "name": "hillstrom.csv"}
    job = (await ways.upload("/api/imports", content, asked))["id"]
    await ways.settle()
    told = await ways.get(f"/api/imports/{job}")
    if told["state"] != "done" or told["refused"]:
        raise DemoError(f"the import did not end well: {told}")


if __name__ == "__main__":
    sys.exit(main())
