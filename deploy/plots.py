"""What pictures have in common: no window, one look, saved as PNG."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")  # before pyplot: nobody has a screen here

from matplotlib import pyplot as plt

BLUE, ORANGE, GREEN, RED, GREY = "#3b6fb6", "#e08a2e", "#4c9a5b", "#b8433f", "#9aa3ad"
COLORS = (BLUE, ORANGE, GREEN, RED, GREY, "#7b5ea7", "#5aa6a6", "#a67c52")
INCHES = (5.2, 3.6)  # of a panel


def figure(rows: int, columns: int, title: str, inches: tuple[float, float] = INCHES) -> tuple[Any, Any]:
    """A figure of panels, as rows of axes."""
    made, axes = plt.subplots(rows, columns, figsize=(inches[0] * columns, inches[1] * rows), squeeze=False, layout="constrained")
    made.suptitle(title, fontsize=14, fontweight="bold", x=0.01, ha="left")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="both", alpha=0.25)
        axis.set_axisbelow(True)
    return made, axes


def interval(axis: Any, place: float, reading: tuple[float, float, float], label: str, color: str = BLUE) -> None:
    """An effect and its bounds on a line of its own. reading: effect, low, high, in the unit of the axis."""
    middle, low, high = reading
    axis.errorbar(middle, place, xerr=[[middle - low], [high - middle]], fmt="o", color=color, capsize=5, linewidth=2, markersize=7)
    axis.annotate(label, (middle, place), (0, 10), textcoords="offset points", ha="center")


def saved(made: Any, file: Path) -> Path:
    """Write it, and forget it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    made.savefig(file, dpi=110, metadata={"Software": None})
    plt.close(made)
    return file
