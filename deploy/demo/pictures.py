"""The reports as pictures, beside demo.json: what letters did, the experiment, who is credited, the funnel and the cohorts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.demo import attributed
from deploy.demo.asking import Told
from deploy.demo.results import says, verdict
from deploy.plots import BLUE, COLORS, GREY, ORANGE, figure, interval, saved

FOLDER = "plots"
POUND = 100  # minor units
MODELS = {model: {"markov": "Markov"}.get(model, model.replace("_", " ")) for model in attributed.MODELS}
VERDICTS = {"not_shown": "no effect is shown", "not yet": "too early to say", "too_few": "too few people to say"}
OPENED = {"0-0": "opened nothing", "1+": "opened a letter"}
WIDE = (6.4, 4.2)  # inches of a panel
PRIMARY = "ordered"  # of the measures of documents/experiments.yaml
BESIDE = "Beside the verdict: a few wholesale buyers decide it\n(p = {p:.2f}, and no letter can have moved it)"
LINE = 160  # letters of a line


def draw(told: Mapping[str, Told], home: Path) -> list[Path]:
    """All of them; where they are."""
    made = {"letters": _letters(told["outcomes"]), "experiment": _experiment(told["experiment"]), "attribution": _attribution(told["attribution"]),
            "funnel-and-cohorts": _people(told)}  # fmt: skip
    return [saved(one, home / FOLDER / f"{name}.png") for name, one in made.items()]


def _letters(told: Told) -> Any:
    """What became of each letter, and what was bought after it."""
    made, axes = figure(1, 2, "Letters of December 2010: opens and clicks are simulated, orders are real", WIDE)
    rows = [row for row in told["rows"] if row["sent"]["messages"]]
    names = [f"{row['document'].removeprefix('journey:')}: {row['step']} ({row['sent']['messages']:,})" for row in rows]
    left, right = axes[0]
    for place, (what, color) in enumerate((("opened", BLUE), ("clicked", ORANGE))):
        values = [(row["rates"][what] or 0) * 100 for row in rows]
        bars = left.barh([n + (place - 0.5) * 0.38 for n in range(len(rows))], values, height=0.36, color=color, label=what)
        left.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, fontsize=8)
    left.set(title="Opened and clicked, of what was sent", xlabel="% of letters")
    values = [(row["rates"]["revenue_per_recipient"] or 0) / POUND for row in rows]
    bars = right.barh(range(len(rows)), values, color=GREY, height=0.6)
    right.bar_label(bars, [f"£{value:,.0f}" for value in values], padding=3, fontsize=8)
    right.set(title="Revenue per recipient, orders within 7 days\n(after the letter, not because of it)", xlabel="£ per recipient")
    for axis in (left, right):
        axis.set_yticks(range(len(rows)), names)
        axis.invert_yaxis()
        axis.margins(x=0.15)
    left.margins(x=0.3)
    left.legend(loc="lower right", frameon=False)
    return made


def _experiment(told: Told) -> Any:
    """The two halves of the welcome chain, and how far they are from each other."""
    made, axes = figure(
        1, 3, f"Half of the welcome chain's people got no letter of it: {VERDICTS.get(verdict(told), verdict(told))}", (5.2, 4.4)
    )
    made.supxlabel(_wrapped(says(told)), x=0.01, ha="left", fontsize=10)
    metrics = told["judged"]["metrics"] if told["judged"] else []
    panels = (
        ("ordered", "Ordered again within 7 days", "% of people", 100.0),
        ("revenue", "Revenue per person within 7 days", "£", 1 / POUND),
    )
    for place, (key, title, unit, factor) in enumerate(panels):
        axis = axes[0][place]
        axis.set(title=title, ylabel=unit)
        if (one := _comparison(metrics, key)) is None:
            axis.text(0.5, 0.5, "no look yet", ha="center", transform=axis.transAxes)
            continue
        values = [one["reading"]["control"] * factor, one["reading"]["value"] * factor]
        bars = axis.bar(["control\n(no letter)", "welcome\nletters"], values, color=[GREY, BLUE], width=0.55)
        axis.bar_label(bars, [f"{value:.1f}" for value in values], padding=3)
        axis.margins(y=0.15)
        if key != PRIMARY:
            axis.set_xlabel(BESIDE.format(p=one["reading"]["p"]), fontsize=9)
    _difference(axes[0][2], metrics)
    return made


def _difference(axis: Any, metrics: Sequence[Mapping[str, Any]]) -> None:
    """By how much those with letters differ, as a part of the control's."""
    lifts = [(metric["key"], metric["comparisons"][0]["reading"]) for metric in metrics]
    kept = [(key, one) for key, one in lifts if one["lift"] is not None and None not in one["lift_interval"].values()]
    for place, (_, one) in enumerate(kept):
        middle, low, high = (value * 100 for value in (one["lift"], one["lift_interval"]["low"], one["lift_interval"]["high"]))
        interval(axis, place, (middle, low, high), f"{middle:+.0f} %  ({low:+.0f} to {high:+.0f})")
    axis.axvline(0, color="black", linewidth=0.8)
    axis.margins(x=0.2)
    axis.set_yticks(range(len(kept)), [{"ordered": "ordered\nagain", "revenue": "revenue"}[key] for key, _ in kept])
    axis.set(title="With letters against without, 95 % interval", xlabel="% of the control's", ylim=(-0.6, len(kept) - 0.3))


def _comparison(metrics: Sequence[Mapping[str, Any]], key: str) -> Mapping[str, Any] | None:
    return next((metric["comparisons"][0] for metric in metrics if metric["key"] == key), None)


def _wrapped(text: str) -> str:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _attribution(told: Told) -> Any:
    """What each model gives to whom; what nobody got is in the title, for it is most of it."""
    found = {model: attributed.credits_of(told, model) for model in MODELS}
    labels = [row["label"] for row in told["rows"]]
    nobody = next((credit[attributed.NOBODY]["revenue"] for credit in found.values() if credit), told["revenue"])
    title = f"Who is credited with £{told['revenue'] / POUND:,.0f} of {told['conversions']:,} orders, by five models"
    made, axes = figure(
        1, 1, f"{title}\n(last click leaves £{nobody / POUND:,.0f} to nobody; credit is not a cause: see the experiment)", (11, 5)
    )
    axis, width = axes[0][0], 0.16
    for place, (model, name) in enumerate(MODELS.items()):
        values = [found[model][label]["revenue"] / POUND if label in found[model] else 0 for label in labels]
        bars = axis.bar(
            [n + (place - 2) * width for n in range(len(labels))], values, width=width * 0.92, color=COLORS[place], label=name
        )
        axis.bar_label(bars, [f"{value:,.0f}" for value in values], padding=2, fontsize=7, rotation=90)
    axis.set_xticks(range(len(labels)), [label.removeprefix("journey:") for label in labels])
    axis.set(ylabel="£ credited", xlabel="journey whose letter was clicked")
    axis.margins(y=0.18)
    if labels:
        axis.legend(frameon=False)
    return made


def _people(told: Mapping[str, Told]) -> Any:
    made, axes = figure(2, 2, "People of December 2010, devices without a name among them", WIDE)
    _funnel(axes[0][0], told["funnel"])
    _openers(axes[0][1], told["cohort"])
    _ages(
        axes[1][0],
        told["lifetime"]["cohorts"],
        "Revenue a customer, by week of the first order",
        "£ a customer so far",
        ("per_person", 1 / POUND, 0),
    )
    _ages(
        axes[1][1],
        told["retention"]["cohorts"],
        "Ordered again, by week of the first order",
        "% of the week's customers",
        ("share", 100.0, 1),
    )
    return made


def _funnel(axis: Any, told: Told) -> None:
    steps = told["steps"]
    bars = axis.barh([step["name"] for step in steps], [step["people"] for step in steps], color=BLUE, height=0.55)
    axis.bar_label(bars, [f"{step['people']:,} ({(step['of_first'] or 0) * 100:.0f} %)" for step in steps], padding=3)
    axis.invert_yaxis()
    axis.margins(x=0.25)
    axis.set(title="From a basket to an order within a day", xlabel="people")


def _openers(axis: Any, told: Told) -> None:
    names = [f"{OPENED.get(group['name'], group['name'])}\n({group['people']} people)" for group in told["groups"]]
    for place, (what, color, label) in enumerate(
        (("all", GREY, "all checks"), ("without_outliers", BLUE, "without those over 10 times the mean"))
    ):
        values = [(one["mean"] or 0) / POUND for one in told["revenue"][what]]
        bars = axis.bar([n + (place - 0.5) * 0.38 for n in range(len(names))], values, width=0.36, color=color, label=label)
        axis.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3)
    axis.set_xticks(range(len(names)), names)
    axis.margins(y=0.3)
    axis.legend(frameon=False, loc="upper left", fontsize=8)
    axis.set(
        title="Who opened in the first week, and spent after it:\na correlation (here openers are drawn by lot)",
        ylabel="£ a person",
    )


def _ages(axis: Any, cohorts: Sequence[Mapping[str, Any]], title: str, unit: str, what: tuple[str, float, int]) -> None:
    """what: the list of each cohort, a factor, and the first age that is shown."""
    name, factor, first = what
    for place, one in enumerate(cohorts):
        values = [(value or 0) * factor for value in one[name]][first:]
        ages = range(first, first + len(values))
        axis.plot(ages, values, marker="o", color=COLORS[place % len(COLORS)], label=f"{one['from']} ({one['people']:,})")
    axis.set_xticks(range(first, max([first, *(len(one[name]) - 1 for one in cohorts)]) + 1))
    axis.set(title=title, xlabel="weeks since (the last one is not over)", ylabel=unit)
    if cohorts:
        axis.legend(frameon=False, fontsize=8)
