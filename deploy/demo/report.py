"""What the reader sees: progress while it plays, the table at its end, and demo.json."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.counting import Flat
from deploy.demo.player import Played
from deploy.demo.story import DAY
from deploy.local.settings import LocalSettings

FILE = "demo.json"
# None of these may be anything but 0.
BROKEN = ("facts.lost", "intents.sent_twice", "intents.lost", "reports.do_not_add_up")
# A test of nothing shows an effect by chance in one draw of twenty. The draw of this seed is known to show none: there it is a fault.
EFFECT, HELD_SEED = "experiment.shows_an_effect", 1
# Whatever the draw: in a whole month the look of the experiment comes, and it has people enough.
UNANSWERED = "experiment.no_answer"
# What a busy machine or chance can do too is shown, and breaks nothing.
STRIKING = (*BROKEN, "reports.slow", EFFECT)
SECTIONS = (
    ("facts in", "facts.in", "calls acknowledged with 2xx, repeats and refused ones included"),
    ("  repeats, dropped", "facts.duplicates", "the same messageId again"),
    ("  dead letters", "facts.dead", "kept with their reasons:"),
    ("    {}", "dead.", ""),
    ("  lost", "facts.lost", ""),
    ("profiles", "profiles", "people and devices without a name"),
    ("merges", "merges", "two turned out to be one"),
    ("segment {}", "segments.", ""),
    ("messages sent", "messages.sent", "mails at the catcher"),
    ("  {}", "sent.", ""),
    ("displaced by {}", "displaced.", "later, at the next free moment"),
    ("skipped by {}", "skipped.", ""),
    ("control group {}", "control.", "would have been sent"),
    ("late: {}", "late.", ""),
    ("held: {}", "held.", ""),
    ("failed: {}", "failed.", ""),
    ("simulated {}", "simulated.", "by otklik-demo-simulated: nobody real read anything"),
    ("intents sent twice", "intents.sent_twice", ""),
    ("intents lost", "intents.lost", ""),
    ("intents in doubt", "intents.in_doubt", ""),
    ("ordered again, letters", "experiment.ordered.treatment", "of people of the welcome chain, within 7 days"),
    ("ordered again, control", "experiment.ordered.control", "of the half that got no letter of it"),
    ("experiment", "experiment.verdict", "no letter can move an order of 2010: it has to show nothing"),
    ("revenue a person, letters", "experiment.revenue.treatment", "pence; beside the verdict: a few wholesale buyers decide it"),
    ("revenue a person, control", "experiment.revenue.control", "pence"),
    ("  p of the difference", "experiment.revenue.p", "of nothing: chance, and why the verdict is of one measure alone"),
    (
        "  its own verdict",
        "experiment.revenue.verdict",
        "beside that of the experiment; one in twenty such is an effect of nothing",
    ),
    ("revenue a recipient {}", "outcomes.", "pence, orders within 7 days after the letter"),
    ("credited with {}", "attribution.", "pence, by last click"),
    ("funnel: {}", "funnel.", "people, each step within a day of the first"),
    ("cohort: {}", "cohort.", "a correlation: people, pence a person"),
    ("parts that miss the whole", "reports.do_not_add_up", "reports whose rows are not their total"),
    ("reports above their limit", "reports.slow", "1 s, five models 5 s"),
    ("effects of nothing", "experiment.shows_an_effect", ""),
    ("facts per second", "facts_per_s", "on the wall clock, the whole way"),
    ("fact to mail, p50", "latency.p50_ms", "ms on the wall clock; an hour's facts come at once"),
    ("fact to mail, p99", "latency.p99_ms", "ms"),
    ("timer to mail, p50", "latency.timers_p50_ms", "ms from the release of its hour"),
    ("timer to mail, p99", "latency.timers_p99_ms", "ms"),
    ("wall clock", "wall_s", "s in all, with starting the installation"),
)


class Watching:
    """Progress of the play: a bar on a terminal, a line a day elsewhere."""

    def __init__(self, console: Console, start: int, end: int) -> None:
        self._console, self._start, self._end = console, start, end
        self._day = -1
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("December 2010", total=self._end - self._start, told="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, now: int, played: Played) -> None:
        """now: simulated UTC ms."""
        told = f"{played.calls:>6,} facts  {len(played.mails):>5,} mails"
        moment = datetime.fromtimestamp(now / 1000, UTC)
        if self._bar is not None:
            self._bar.update(self._task, completed=now - self._start, description=f"{moment:%d %B %H:%M}", told=told)
        elif now // DAY != self._day:
            self._day = now // DAY
            self._console.print(f"{moment:%d %B %Y}  {told}", highlight=False)


def table(numbers: Mapping[str, int | float | str]) -> Table:
    """All that was counted, in the order of a fact's way."""
    shown = Table(title="What became of the month", title_justify="left", show_header=False)
    shown.add_column("what")
    shown.add_column("number", justify="right")
    shown.add_column("said of it", style="dim")
    for name, key, said in SECTIONS:
        if not key.endswith("."):
            shown.add_row(
                name, _number(numbers.get(key, 0)), said, style="bold red" if key in STRIKING and numbers.get(key) else None
            )
        elif key == "segments.":
            _segments(shown, name, numbers)
        else:
            for found in (one for one in numbers if one.startswith(key) and _shown(key, one)):  # in the order of their report
                shown.add_row(name.format(_short(found.removeprefix(key))), _number(numbers[found]), said)
    return shown


def _shown(key: str, name: str) -> bool:
    """Of the reports the table has some figures of many; all are in demo.json."""
    return {
        "outcomes.": name.endswith(".revenue_per_recipient"),
        "attribution.": name.startswith("attribution.last_click.") and name.endswith(".revenue"),
    }.get(key, True)


def _short(name: str) -> str:
    return name.removesuffix(".revenue_per_recipient").removeprefix("last_click.").removesuffix(".revenue")


def _segments(shown: Table, name: str, numbers: Mapping[str, int | float | str]) -> None:
    for found in sorted(one for one in numbers if one.startswith("segments.") and one.endswith(".members")):
        stem = found.removesuffix(".members")
        said = f"now; entered {numbers[f'{stem}.entered']} times, left {numbers[f'{stem}.left']} times"
        shown.add_row(name.format(stem.removeprefix("segments.")), _number(numbers[found]), said)


def _number(value: float | str) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3f}"
    return value if isinstance(value, str) else f"{value:,}"


def look_at(settings: LocalSettings, numbers: Mapping[str, int | float | str]) -> str:
    """Lines for a person: a letter of each step."""
    letters = sorted(one for one in numbers if one.startswith("example."))
    shown = (
        f"  {name.removeprefix('example.'):<16} http://127.0.0.1:{settings.mail_port}/mails/{numbers[name]}" for name in letters
    )
    return "\n".join(("a letter of each step:", *shown))


def write(settings: LocalSettings, numbers: Flat) -> Path:
    """demo.json in the home: the numbers, keys flat with dots."""
    file = settings.home / FILE
    file.write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def broken(numbers: Mapping[str, int | float | str]) -> list[str]:
    """Which promises were not kept."""
    held = (*BROKEN, EFFECT) if numbers.get("seed") == HELD_SEED else BROKEN
    whole = (UNANSWERED,) if numbers.get("whole") else ()
    return [key for key in (*held, *whole) if numbers.get(key, 0)]
