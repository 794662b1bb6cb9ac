"""The letters as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from deploy.hillstrom.figures import Flat, Held
from deploy.hillstrom.letters import CAP

WHAT = {"visit": "visited", "order": "bought", "revenue": f"revenue per person, cut at ${CAP / 100:.0f}"}
LETTERS = {"mens": "men's letter", "womens": "women's letter"}


def table(results: Mapping[str, Any], ours: Flat) -> Group:
    """Each letter beside no letter, by each measure, with the sentences that the experiment says."""
    people = ", ".join(f"{name} {ours[f'people.{name}']:,}" for name in ("control", *LETTERS))
    title = f"Hillstrom's letters: {people}; split p = {ours['split.p']:.2f}"
    shown = Table(title=title, title_justify="left")
    for name in ("measure", "letter"):
        shown.add_column(name)
    for name in ("with", "without", "difference, 95 %", "lift, 95 %", "p", "p adjusted", "verdict"):
        shown.add_column(name, justify="right")
    for metric in results["judged"]["metrics"]:
        key = metric["key"]
        for one in metric["comparisons"]:
            how = f"{one['adjusted_by']}, all arms p {_p(metric['gate'])}"
            shown.add_row(
                WHAT[key], LETTERS[one["arm"]], *_row(one["reading"], key), f"{_p(one['p_adjusted'])} ({how})", one["verdict"]
            )
            if one.get("without_rule"):
                shown.add_row("  nothing cut", LETTERS[one["arm"]], *_row(one["without_rule"], key), "", "", style="dim")
        shown.add_section()
    cut = Text(f"Orders above ${CAP / 100:.0f}, that count as it: {ours['revenue.changed']:.0f} of {_orders(ours):.0f}.")
    return Group(shown, cut, Text(results["judged"]["text"]["en"]))


def _orders(ours: Flat) -> float:
    return sum(value for name, value in ours.items() if name.startswith("report.") and name.endswith(".converted"))


def _row(one: Mapping[str, Any], key: str) -> tuple[str, ...]:
    money = key == "revenue"

    def of(value: float) -> str:
        return f"${value / 100:.3f}" if money else f"{value * 100:.2f} %"

    def apart(value: float) -> str:
        return f"{value / 100:+.3f}" if money else f"{value * 100:+.2f}"

    span, lift = one["interval"], one["lift_interval"]
    difference = f"{apart(one['difference'])} ({apart(span['low'])} to {apart(span['high'])})"
    relative = f"{one['lift'] * 100:+.0f} % ({lift['low'] * 100:+.0f} to {lift['high'] * 100:+.0f})"
    return of(one["value"]), of(one["control"]), difference, relative, _p(one["p"])


def _p(value: float) -> str:
    return f"{value:.1e}" if value < 0.001 else f"{value:.3f}"


def agreement(held: Sequence[Held]) -> Text:
    """How many figures other libraries have as we do, and which they do not."""
    wrong = [one for one in held if not one.agrees]
    told = f"{len(held) - len(wrong)} of {len(held)} figures are those of statsmodels, tea-tasting and scipy to six digits"
    lines = [f"  {one.name}: {one.ours} here, {one.theirs} there" for one in wrong]
    return Text("\n".join((told, *lines)), style="bold red" if wrong else "green")
