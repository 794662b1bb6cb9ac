"""The letters as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from deploy.hillstrom.figures import Flat, Held
from deploy.hillstrom.letters import CAP

WHAT = {"visit": "visited, %", "order": "bought, %", "revenue": f"revenue per person, $, orders cut at ${CAP / 100:.0f}"}
LETTERS = {"mens": "men's", "womens": "women's"}
ADJUSTED = {"holm": "Holm", "bh": "Benjamini-Hochberg", "none": "none"}


def table(results: Mapping[str, Any], ours: Flat) -> Group:
    """Each letter beside no letter, by each measure, with the sentences that the experiment says. As narrow as a terminal."""
    people = ", ".join(f"{name} {ours[f'people.{name}']:,}" for name in ("control", *LETTERS))
    head = Text(f"Hillstrom's letters: {people}; split p = {ours['split.p']:.2f}", style="bold")
    cut = Text(f"Orders above ${CAP / 100:.0f}, that count as it: {ours['revenue.changed']:.0f} of {_orders(ours):.0f}.")
    return Group(head, *(_measure(metric) for metric in results["judged"]["metrics"]), cut, Text(results["judged"]["text"]["en"]))


def _measure(metric: Mapping[str, Any]) -> Table:
    adjusted = ADJUSTED[metric["comparisons"][0]["adjusted_by"]]
    title = f"{WHAT[metric['key']]} (p by {adjusted}; that all arms are alike: {_p(metric['gate'])})"
    shown = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), title_style="")
    shown.add_column("letter")
    for name in ("with", "without", "difference, 95 %", "lift", "p", "verdict"):
        shown.add_column(name, justify="right", no_wrap=True)
    for one in metric["comparisons"]:
        shown.add_row(LETTERS[one["arm"]], *_row(one["reading"], metric["key"]), _p(one["p_adjusted"]), one["verdict"])
        if one.get("without_rule"):
            plain = one["without_rule"]
            shown.add_row("  uncut", *_row(plain, metric["key"]), _p(plain["p"]), "", style="dim")
    return shown


def _orders(ours: Flat) -> float:
    return sum(value for name, value in ours.items() if name.startswith("report.") and name.endswith(".converted"))


def _row(one: Mapping[str, Any], key: str) -> tuple[str, ...]:
    factor, digits = (0.01, 3) if key == "revenue" else (100, 2)
    span = one["interval"]
    apart = [f"{value * factor:+.{digits}f}" for value in (one["difference"], span["low"], span["high"])]
    levels = (f"{one[name] * factor:.{digits}f}" for name in ("value", "control"))
    return *levels, f"{apart[0]} ({apart[1]} to {apart[2]})", f"{one['lift'] * 100:+.0f} %"


def _p(value: float) -> str:
    return f"{value:.1e}" if value < 0.001 else f"{value:.3f}"


def agreement(held: Sequence[Held]) -> Text:
    """How many figures other libraries have as we do, and which they do not."""
    wrong = [one for one in held if not one.agrees]
    told = f"{len(held) - len(wrong)} of {len(held)} figures are those of statsmodels, tea-tasting and scipy to six digits"
    lines = [f"  {one.name}: {one.ours} here, {one.theirs} there" for one in wrong]
    return Text("\n".join((told, *lines)), style="bold red" if wrong else "green")
