"""A2, A5: a published test of three arms that another mailer ran, imported and reported; every figure as other libraries have it."""

import json

import pytest

from deploy.hillstrom import figures, letters
from tests.support.shop import Shop


@pytest.mark.case("A2")
async def test_letters_of_another_mailer_are_imported_and_reported_as_other_libraries_have_them(shop: Shop):
    rows = letters.sample(letters.load())
    asked = {"mapping": json.dumps(letters.mapping(shop.brand, f"{shop.brand}-mailer")), "name": "letters.csv"}
    content = letters.csv_of(rows, f"{shop.brand}-")
    job = (await shop.api("POST", "/api/imports", params=asked, content=content, headers={"Content-Type": "text/csv"}))["id"]
    await shop.settle()
    imported = await shop.api("GET", f"/api/imports/{job}")
    assert (imported["state"], imported["lines"], imported["refused"]) == ("done", 2000, 0), imported

    await shop.publish({"kind": "experiment", "body": letters.experiment(shop.brand, f"{shop.brand}-letters")})
    results = await shop.api("GET", f"/api/experiments/{shop.brand}-letters/results")
    report = await shop.api("GET", "/api/reports/outcomes", params=letters.outcomes(shop.brand))
    ours, theirs = figures.flat(results, report), figures.expected("sample")
    assert [one for one in figures.held(ours, theirs) if not one.agrees] == []
    assert len(theirs) > 80 and results["periods"][-1]["arms"]["mens"]["measures"]["order"]["immature"] == 0

    # Each figure opens its people, and rows add up.
    total = report["total"]
    assert sum(row["revenue"]["minor"] for row in report["rows"]) == total["revenue"]["minor"]
    behind = await shop.api("GET", total["people"].replace("{figure}", "control.local.converted"))
    assert behind["count"] == len(behind["items"]) == theirs["report.control.converted"]
