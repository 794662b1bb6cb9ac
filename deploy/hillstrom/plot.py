"""The letters as a picture: what each arm did, and how much more than without a letter."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.hillstrom.letters import CAP
from deploy.plots import BLUE, GREY, ORANGE, figure, interval, saved

ARMS = {"control": ("no letter", GREY), "mens": ("men's\nletter", BLUE), "womens": ("women's\nletter", ORANGE)}
PANELS = {
    "visit": ("Visited within 14 days", "% of people", 100.0),
    "order": ("Bought within 14 days", "% of people", 100.0),
    "revenue": (f"Revenue per recipient, orders cut at ${CAP / 100:.0f}", "USD", 0.01),
}


def draw(results: Mapping[str, Any], file: Path) -> Path:
    """Above what people of each arm did, below by how much it is more than without a letter."""
    made, axes = figure(2, 3, "Hillstrom's letters: 64,000 customers by lot, a letter or none")
    for place, metric in enumerate(results["judged"]["metrics"]):
        title, unit, factor = PANELS[metric["key"]]
        _levels(axes[0][place], metric, (title, unit, factor))
        _effects(axes[1][place], metric, (unit, factor))
    return saved(made, file)


def _levels(axis: Any, metric: Mapping[str, Any], how: tuple[str, str, float]) -> None:
    title, unit, factor = how
    values = [metric["comparisons"][0]["reading"]["control"], *(one["reading"]["value"] for one in metric["comparisons"])]
    names = ["control", *(one["arm"] for one in metric["comparisons"])]
    bars = axis.bar(
        [ARMS[name][0] for name in names], [value * factor for value in values], color=[ARMS[name][1] for name in names], width=0.6
    )
    axis.bar_label(bars, [f"{value * factor:.2f}" for value in values], padding=3)
    axis.set(title=title, ylabel=unit)
    axis.margins(y=0.15)


def _effects(axis: Any, metric: Mapping[str, Any], how: tuple[str, float]) -> None:
    unit, factor = how
    points = unit.replace("% of people", "points")
    for place, one in enumerate(reversed(metric["comparisons"])):
        reading, color = one["reading"], ARMS[one["arm"]][1]
        middle, low, high = (
            value * factor for value in (reading["difference"], reading["interval"]["low"], reading["interval"]["high"])
        )
        interval(axis, place, (middle, low, high), f"{middle:+.2f}  ({low:+.2f} to {high:+.2f})", color)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.margins(x=0.25)
    axis.set(title="More than without a letter, 95 % interval", xlabel=points, ylim=(-0.5, 1.7))
    axis.set_yticks(range(len(metric["comparisons"])), [ARMS[one["arm"]][0] for one in reversed(metric["comparisons"])])
