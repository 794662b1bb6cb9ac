"""The answers of the reports as numbers of the table, and whether they keep their promises. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.demo import asking, attributed
from deploy.demo.asking import Told
from deploy.demo.counting import Flat

SHOWN = ("sent", "opened", "clicked", "unsubscribed")
EFFECT = ("more", "less", "blocked")  # none of these can be true where no letter moves an order
NOT_YET = "not yet"
ANSWERS = (*EFFECT, "not_shown")  # whatever else it says, it has not been asked long enough


def numbers(told: Mapping[str, Told]) -> Flat:
    """`outcomes.welcome.hello.revenue_per_recipient`, `experiment.says`, `attribution. ...`, `funnel. ...`, `cohort. ...`, `lifetime. ...`;
    and what is to be 0 (report.broken): `reports.do_not_add_up`, `reports.slow`, `experiment.shows_an_effect`; of a whole month also
    `experiment.no_answer`.
    """
    return {
        **dict(_outcomes(told["outcomes"])),
        **_experiment(told["experiment"]),
        **attributed.numbers(told["attribution"]),
        **{f"funnel.{step['name']}": step["people"] for step in told["funnel"]["steps"]},
        **dict(_cohort(told["cohort"])),
        **dict(_ages(told)),
        **{f"took_ms.{name}": round(one["took_ms"], 1) for name, one in told.items()},
        "reports.do_not_add_up": len(wrong(told)),
        "reports.slow": len(asking.slow(told)),
        "experiment.shows_an_effect": int(verdict(told["experiment"]) in EFFECT),
        "experiment.no_answer": int(verdict(told["experiment"]) not in ANSWERS),
    }


def _outcomes(told: Told) -> Iterator[tuple[str, int | float]]:
    for row in (*told["rows"], {"document": "all", "step": "", **told["total"]}):
        name = ".".join(filter(None, ("outcomes", row["document"].removeprefix("journey:"), row["step"])))
        yield from ((f"{name}.{what}", row[what]["messages"]) for what in SHOWN)
        yield f"{name}.converted", row["converted"]["people"]
        yield f"{name}.revenue", row["revenue"]["minor"]
        yield f"{name}.revenue_per_recipient", row["rates"]["revenue_per_recipient"] or 0


def verdict(told: Told) -> str:
    """Of the experiment; `not yet`: its look has not come."""
    return str(told["judged"]["verdict"]) if told["judged"] else NOT_YET


def says(told: Told) -> str:
    """What it says, in its own words."""
    return str(told["judged"]["text"]["en"] if told["judged"] else "; ".join(one["message"] for one in told["why"]))


def _experiment(told: Told) -> Flat:
    found: Flat = {"experiment.verdict": verdict(told), "experiment.says": says(told), "experiment.people": told["people"]}
    for metric in told["judged"]["metrics"] if told["judged"] else ():
        (one,) = metric["comparisons"]
        reading = one["reading"]
        figures = {
            "treatment": reading["value"],
            "control": reading["control"],
            "low": reading["interval"]["low"],
            "high": reading["interval"]["high"],
        }
        figures |= {"p": reading["p"], "verdict": one["verdict"], "says": one["text"]["en"]}
        found |= {f"experiment.{metric['key']}.{name}": value for name, value in figures.items()}
    return found


def _cohort(told: Told) -> Iterator[tuple[str, int | float]]:
    for group, everybody, trimmed in zip(told["groups"], told["revenue"]["all"], told["revenue"]["without_outliers"], strict=True):
        name = f"cohort.opened {group['name']}"
        yield f"{name}.people", group["people"]
        yield f"{name}.revenue_per_person", everybody["mean"] or 0
        yield f"{name}.without_outliers", trimmed["mean"] or 0


def _ages(told: Mapping[str, Told]) -> Iterator[tuple[str, int | float]]:
    for spent, back in zip(told["lifetime"]["cohorts"], told["retention"]["cohorts"], strict=True):
        week = spent["from"]
        yield f"lifetime.{week}.people", spent["people"]
        yield f"lifetime.{week}.per_person", spent["per_person"][-1] or 0
        yield f"retention.{week}.first_week_after", back["back"][1] if len(back["back"]) > 1 else 0


def wrong(told: Mapping[str, Told]) -> list[str]:
    """Which reports have parts that are not their whole."""
    checks = {
        "outcomes": _rows_add_up(told["outcomes"]),
        "attribution": attributed.adds_up(told["attribution"]),
        "cohort": sum(group["people"] for group in told["cohort"]["groups"]) == told["cohort"]["people"],
        "funnel": _falls(told["funnel"]),
        "lifetime": [one["people"] for one in told["lifetime"]["cohorts"]]
        == [one["people"] for one in told["retention"]["cohorts"]],
        "experiment": _people_add_up(told["experiment"]),
    }
    return [name for name, right in checks.items() if not right]


def _rows_add_up(told: Told) -> bool:
    rows, total = told["rows"], told["total"]
    messages = all(sum(row[what]["messages"] for row in rows) == total[what]["messages"] for what in SHOWN)
    revenue: int = sum(row["revenue"]["minor"] for row in rows)
    return messages and revenue == int(total["revenue"]["minor"])


def _falls(told: Told) -> bool:
    """Nobody is at a step who was not at the one before, and weeks are parts of the whole."""
    steps = [step["people"] for step in told["steps"]]
    weeks = [sum(column) for column in zip(*(_people(one) for one in told["cohorts"]), strict=True)] or steps
    return steps == sorted(steps, reverse=True) and weeks == steps


def _people(cohort: Any) -> list[int]:
    return list(cohort["people"])


def _people_add_up(told: Told) -> bool:
    people: int = sum(arm["people"] for one in told["periods"] for arm in one["arms"].values())
    return people == int(told["people"])
