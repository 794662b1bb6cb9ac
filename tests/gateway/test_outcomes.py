"""What a caller asks of a report, as it goes to the audience service, and what he gets of its answer."""

import asyncio
import csv
import io
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.serving import serving
from schemas.reports import DAY_MS
from schemas.zones import zone
from services.gateway.domain.outcome_table import csv_of
from services.gateway.domain.outcomes import MOST_PEOPLE, NAMES, OF_PEOPLE, Reading, compared, unknown
from services.gateway.domain.problems import Problem
from tests.gateway.conftest import faults_of, open_site, problem_of

MOSCOW = zone("Europe/Moscow")
FIGURES: dict[str, Any] = {
    "sent": {"messages": 2, "people": 1},
    "revenue": {"minor": 2**70, "currency": "RUB", "negative": 0},
    "rates": {"opened": None},
}
REPORT = {"rows": [{"document": "campaign:x", "variant": "=1+1", **FIGURES}], "total": FIGURES, "as_of": 9, "took_ms": 1.0}


def asked(**query: str) -> Any:
    """The body, or the faults."""
    reading = Reading({name.rstrip("_"): value for name, value in query.items()})
    try:
        return {**reading.who(), **reading.asked(MOSCOW, ["shop"])}
    except Problem as problem:
        return {(fault.path, fault.code) for fault in problem.faults}


def test_dates_are_midnights_of_the_zone_and_instants_are_themselves() -> None:
    body = asked(from_="2026-03-01", to="2026-03-02T00:00:00Z", by="day", campaign="a,b", event="O", window="2w")
    assert (body["since"], body["until"]) == (1_772_312_400_000, 1_772_409_600_000)
    assert (body["documents"], body["target"]) == (["campaign:a", "campaign:b"], {"event": "O", "window": "2w"})
    assert asked(target='{"event": "O", "value": "total"}', currency="USD")["target"] == {
        "event": "O",
        "value": "total",
        "currency": "USD",
    }


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ({"what": "1", "by": "moon"}, {("what", "extra_forbidden"), ("by", "literal_error")}),
        (
            {"event": "O", "window": "400d", "currency": "rub"},
            {("window", "window_too_long"), ("currency", "string_pattern_mismatch")},
        ),
        ({"event": "O", "window": "soon"}, {("window", "window")}),
        ({"target": '{"event": "O", "window": "0d"}'}, {("target.window", "window")}),
        ({"value": "total"}, {("event", "missing")}),
        ({"event": "O", "currency": "RUB"}, {("currency", "unexpected")}),
        ({"by": "day,week"}, {("by", "periods")}),
        ({"by": "step,step"}, {("by", "twice")}),
        ({"from_": "2026-03-02", "to": "2026-03-01"}, {("to", "order")}),
        ({"compare": "year"}, {("compare", "needs_period")}),
        ({"segment": "s", "condition": "{}"}, {("condition", "one_who"), ("condition", "union_tag_not_found")}),
        ({"where": "[", "event": "O"}, {("where", "json")}),
        ({"version": "x", "from_": "-1"}, {("version", "int_parsing"), ("from", "time")}),
        ({"condition": '{"kind": "attribute", "name": "a", "op": "eq", "value": "\\ud800"}'}, {("condition", "json")}),
        ({"target": '{"event": "\\ud800"}'}, {("target", "json")}),
        ({"where": '[{"path": "a", "op": "eq", "value": NaN}]', "event": "O"}, {("where", "json")}),
        (
            {"from_": "1000000000000000", "to": "2000000000000000", "compare": "previous"},
            {("from", "time"), ("to", "time"), ("compare", "needs_period")},
        ),
        ({"to": "253370678400000"}, {("to", "time")}),
        ({"to": "9999-01-01"}, {("to", "time")}),
    ],
)
def test_one_fault_for_each_field(query: dict[str, str], faults: set[tuple[str, str]]) -> None:
    assert asked(**query) == faults


@given(
    st.sampled_from(["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Europe/Moscow"]),
    st.sampled_from(["0", "1", "1970-01-01", "2024-02-29", "9998-12-30", "9998-12-31"]) | st.integers(0, 2**53).map(str),
    st.sampled_from(["1970-01-02", "1970-01-01T00:00:01Z", "9998-12-31", "253370678399999"]) | st.integers(0, 2**53).map(str),
    st.sampled_from(["previous", "year"]),
)
def test_every_period_is_compared_or_refused(name: str, since: str, until: str, how: str) -> None:
    reading = Reading({"from": since, "to": until, "compare": how})
    found: Any
    try:
        found = reading.asked(zone(name), [])
    except Problem as problem:
        found = {fault.code for fault in problem.faults}
    if isinstance(found, set):
        assert found <= {"time", "order", "needs_period", "greater_than_equal"}
    else:
        before, after = found["compared"]
        assert 0 <= before <= after <= found["until"]
        clock = zone(name)
        assert clock.start("year", clock.period("year", found["until"] - 1) + 1) >= found["until"], "it may be parted into periods"


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"limit": "00000000000000001000000"}, ("limit", "int_range")),
        ({"limit": "1001"}, ("limit", "int_range")),
        ({"next": "0" * 17 + "1" * 5000}, ("next", "cursor")),
        ({"row": "[NaN]"}, ("row", "json")),
        ({"row": '["\\ud800"]'}, ("row", "json")),
        ({"row": "[" * 900 + "]" * 900}, ("row", "list_type")),
        ({"row": "[" * 5000 + "]" * 5000}, ("row", "json")),
        ({"row": '{"a": 1}'}, ("row", "list_type")),
    ],
)
def test_a_page_that_is_none_is_a_fault(query: dict[str, str], fault: tuple[str, str]) -> None:
    reading = Reading({"figure": "sent", **query}, NAMES | OF_PEOPLE)
    page = reading.page()
    assert [(one.path, one.code) for one in reading.faults] == [fault] and page.limit <= MOST_PEOPLE


def test_a_page_is_as_it_was_asked_for() -> None:
    page = Reading({"figure": "sent", "row": '["campaign:x", null, 3]', "next": "7", "limit": "1000"}, NAMES | OF_PEOPLE).page()
    assert page == ("sent", ["campaign:x", None, 3], 7, 1000)


def test_a_period_is_compared_by_the_calendar_of_the_zone() -> None:
    berlin = zone("Europe/Berlin")
    first, last = (berlin.midnight(day) for day in (20_541, 20_542))  # 2026-03-29, a day of 23 hours
    assert last - first == DAY_MS - 3_600_000
    assert compared(berlin, first, last, "previous") == (first - DAY_MS, first)
    assert compared(MOSCOW, 10_000, 13_000, "previous") == (7_000, 10_000), "no whole days: as long"
    since, until = MOSCOW.midnight(19_782), MOSCOW.midnight(19_783)  # 2024-02-29
    assert [str(MOSCOW.date(one)) for one in compared(MOSCOW, since, until, "year")] == ["2023-02-28", "2023-03-01"]


def test_a_table_has_no_formula_and_every_digit() -> None:
    row, total = csv.DictReader(io.StringIO(csv_of(REPORT, ["document", "variant"]).decode("utf-8-sig"), newline=""))
    assert (row["variant"], row["revenue_minor"], row["rates_opened"], row["sent_people"]) == ("'=1+1", str(2**70), "", "1")
    assert (total["of"], total["variant"]) == ("total", "")


async def test_a_report_is_asked_within_the_brands_of_the_key_and_opens_its_people(config: Any) -> None:
    bodies = []

    async def answer(request: Request) -> Response:
        bodies.append((request.path_params["question"], await request.json()))
        if bodies[-1][1]["asked"]["target"]:
            fault = {"path": "target.currency", "code": "currencies_mixed", "message": "several", "params": {"names": "RUB, USD"}}
            return JSONResponse({"code": "invalid", "errors": [fault]}, 422)
        return JSONResponse({"count": 1, "items": ["p"], "next": 7} if bodies[-1][0] == "people" else REPORT)

    neighbour = Starlette(routes=[Route("/internal/audience/{question}", answer, methods=["POST"])])
    async with (
        serving(neighbour, "127.0.0.1", 0, asyncio.Event()) as port,
        open_site(config, audience=f"http://127.0.0.1:{port}") as site,
    ):
        await site.publish("brands", {"key": "one", "name": "one", "time_zone": "Europe/Moscow"})
        campaign = {"key": "x", "brand": "one", "audience": {"kind": "all", "of": []}, "template": "t"}
        assert (await site.http.put("/api/campaigns/x", json=campaign)).status_code == 201
        one = await site.new_key("read", brands=["one"])
        told = await site.as_key("GET", "/api/reports/outcomes?campaign=x&by=document,variant&from=2026-03-01", one)
        question, body = bodies.pop()
        assert (question, body["asked"]["brands"], body["asked"]["since"], told.json()["zone"]) == (
            "outcomes",
            ["one"],
            1_772_312_400_000,
            "Europe/Moscow",
        )
        people = await site.as_key("GET", told.json()["rows"][0]["people"].replace("{figure}", "sent"), one)
        assert (people.status_code, people.json()["next"]) == (200, "7")
        assert (bodies[-1][1]["row"], bodies[-1][1]["figure"], bodies[-1][1]["as_of"]) == (["campaign:x", "=1+1"], "sent", 9)
        assert (
            (await site.as_key("GET", "/api/reports/outcomes?campaign=x&by=document,variant&format=csv", one))
            .headers["content-type"]
            .startswith("text/csv")
        )
        problem_of(await site.as_key("GET", "/api/reports/outcomes?brand=two", one), 403, "brand_forbidden")
        wrong = await site.http.get("/api/reports/outcomes?campaign=x,none&step=nope&variant=B&zone=Mars&segment=s")
        assert faults_of(wrong) == {("campaign", "unknown_document"), ("step", "not_in_document"), ("variant", "not_in_document"), ("zone", "time_zone"),
                                    ("segment", "unknown_document")}  # fmt: skip
        mixed = await site.http.get("/api/reports/outcomes?campaign=x&event=O&value=total", headers={"Accept-Language": "ru"})
        assert faults_of(mixed) == {("currency", "currencies_mixed")}
        assert "RUB, USD" in mixed.text and "валют" in mixed.text


def test_a_journey_has_the_ways_of_its_splits_as_variants_and_not_its_control_group() -> None:
    journey = {"control": {"share": 500}, "steps": [{"id": "way", "split": [{"name": "a"}, {"name": "b"}]}, {"id": "letter"}]}
    campaign = {"variants": [{"name": "x"}], "control": 10}
    held = {"journey:w": {1: journey}, "campaign:c": {1: campaign}}
    assert [one.params["name"] for one in unknown(held, (), ("a", "x", "treatment"))] == ["treatment"]
    assert list(unknown(held, ("way", "letter"), ("b", "control"))) == []


def test_the_gateway_begins_without_arrow() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, services.gateway.__main__; print('pyarrow' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "False", "who never asks for a table does not pay its memory"
