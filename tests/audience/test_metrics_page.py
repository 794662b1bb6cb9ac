"""docs/metrics.md has every figure that a report answers with, in the part that is about it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.forecast import Forecast
from services.audience.domain.world import World
from services.audience.handler import reporting
from services.audience.store.answers import Answers
from services.gateway.domain import incremental
from services.gateway.domain.forecast import forecast
from services.gateway.domain.incremental import Groups
from tests.audience.kept import ANN, BOB, Kept, fact
from tests.audience.test_analyses import EVERYBODY, STEPS, did
from tests.audience.test_attribution import AT, DAY, NOW, TARGET, asked, click, order
from tests.gateway.test_analyses import WAY

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
TRAFFIC = [{"day": "1970-08-20", "visits": 5, "cost": 70, "currency": "GBP"}]
# What says of what a row is, or repeats what was asked; and the stamp of all answers (docs/bulk.md).
FRAME = frozenset(
    (
        *("all", "by", "channel", "channels", "cohorts", "correlation", "currency", "effect", "from", "groups", "label", "level", "name", "note"),
        *("place", "products", "rates", "rows", "stage", "stages", "total", "unit", "value", "window", "windows", "zone"),
        *("as_of", "complete_up_to", "offsets", "took_ms"),
    )
)  # fmt: skip
OF_DATA = (
    "cost",
    "effect",
    "note",
    "offsets",
    "windows",
)  # within them are currencies, channels, topics, languages, and what was asked


def figures(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        for name, inner in told.items():
            yield name
            yield from () if name in OF_DATA else figures(inner)
    elif isinstance(told, list):
        for one in told:
            yield from figures(one)


def explained(*parts: str) -> set[str]:
    """The words in `code` of these parts of the page."""
    sections = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}
    text = "\n".join(section for title, section in sections.items() if title.startswith(parts))
    return {word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"[a-z][a-z_0-9]*", code)}


REPORTS: dict[str, dict[str, Any]] = {
    "attribution": {"target": TARGET, "leads": {}}, "funnel": {"steps": STEPS, "by": "kind", "traffic": TRAFFIC}, "stages": {"traffic": TRAFFIC},
    "cohort": {"among": EVERYBODY, "product": "product", "usage": {"event": "Email Opened"}, "landmark": "2d"}, "touchpoints": {},
    "channels": {"target": TARGET, "traffic": TRAFFIC}, "lifetime": {}, "retention": {},
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_every_figure_of_a_report_of_ways_stands_there(name: str, kept: Kept) -> None:
    kept.told(
        fact(ANN, "ad", "Page Viewed", AT - DAY, context={"page": {"search": "?gclid=1"}}), did(ANN, "Signed Up", AT - DAY), click(ANN, 1, AT),
        did(ANN, "Application Submitted", AT + 1), order(ANN, 1, AT + 3 * DAY, 500, product="a"), did(BOB, "Popup Shown", AT, touchpoint="p"),
        did(BOB, "Contact Left", AT, touchpoint="p"), did(ANN, "Email Opened", AT, machine=False),
    )  # fmt: skip
    found = asked(kept, name, **REPORTS[name])
    part = "Attribution" if name == "attribution" else "Funnels and others"
    assert set(figures(found)) - FRAME - explained(part, "What stands beside") == set()
    assert f"/api/reports/{name}" in PAGE


def test_every_figure_of_outcomes_of_gains_and_of_a_forecast_stands_there(kept: Kept) -> None:
    body = {"asked": {"by": ["document"], "target": TARGET}}
    found = reporting.counted(Answers(kept.index), World({}), body, None, NOW)
    assert set(figures(found)) - FRAME - explained("Messages") == set()
    gained = incremental.gained(Groups(9000, 900, 900_000, 1000, 95, 95_000), None, {"conversions": 600})
    assert set(figures(gained)) - FRAME - explained("Attribution", "What stands beside") == set()
    churn = {"customers": 100, "arpu": 1000, "rate": 0.1, "effect": {"low": 0.0, "expected": 0.2, "high": 0.5}}
    told = forecast(Forecast.model_validate({**WAY, "churn": churn, "result": [{"stage": "payment", "gain": 1}]}))
    assert set(figures(told)) - FRAME - explained("Funnels and others", "What stands beside") == set()
