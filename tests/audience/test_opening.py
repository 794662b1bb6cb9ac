"""Each figure of people in a report opens as many as it says: one story, and of every report all figures that open anybody."""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from schemas.facts import Fact
from schemas.ids import derive
from services.audience.domain.world import World
from services.audience.handler import analysing
from services.audience.handler.answering import Refused
from services.audience.store.answers import Answers
from tests.audience.kept import ANN, BOB, CID, Kept, fact
from tests.audience.test_attribution import DAY, TARGET, click, order

HOUR = DAY // 24
AT = 595 * DAY  # 1971-08-19
PERIOD = {"since": 585 * DAY, "until": 615 * DAY}  # up to 8 September
NOW = AT + 22 * DAY
DAN, EVE = (derive("profile", who) for who in ("dan", "eve"))
OTHERS = [derive("profile", "other", n) for n in range(30)]
EVERYBODY = {"kind": "all", "of": []}
MODELS = ("last_click", "first_touch", "linear", "position", "markov")
Opened = Mapping[str, set[str]]


def did(who: str, event: str, at: int, **more: Any) -> Fact:
    return fact(who, f"{event} {at} {more}", event, at, properties=more)


def told() -> Iterator[Fact]:
    """ANN came by an ad, applied, and again by a letter; BOB by a letter; CID by nothing, in September; DAN applies twice and buys nothing; EVE
    bought a year ago, registers and buys nothing more. One of the others paid ten thousand times as much as they do.
    """
    yield fact(ANN, "ad", "Page Viewed", AT, context={"page": {"search": "?gclid=1"}}, properties={"landing": "product"})
    yield from (did(ANN, "Page Viewed", AT + n * DAY, landing="content") for n in (1, 2, 15))
    yield did(BOB, "Page Viewed", AT, landing="content")
    yield from (did(who, "Popup Shown", AT + n, touchpoint="popup") for who in (ANN, BOB) for n in (1, 2))
    yield from (
        did(who, "Contact Left", AT + 2, touchpoint=where)
        for who, where in ((ANN, "popup"), (EVE, "popup"), (CID, "form"), (DAN, "form"))
    )
    yield did(CID, "Contact Left", AT - 60 * DAY, touchpoint="form")
    signed = ((ANN, AT + 3, "legal"), (BOB, AT + 4, "natural"), (CID, AT + 15 * DAY, "legal"), (EVE, AT + DAY, "natural"))
    yield from (did(who, "Signed Up", at, kind=kind) for who, at, kind in (*signed, *((one, AT, "natural") for one in OTHERS)))
    yield from (click(ANN, 1, AT + 2 * DAY), click(BOB, 2, AT + DAY, intent="two", document="journey:news"))
    yield from (did(who, "Email Opened", AT + n * DAY) for who in (ANN, BOB) for n in (1, 2))
    applied = ((ANN, HOUR), (ANN, 2 * DAY + HOUR), (BOB, 2 * DAY), (CID, 16 * DAY), (DAN, DAY), (DAN, 6 * DAY))
    yield from (did(who, "Application Submitted", AT + after, product="python") for who, after in applied)
    bought = ((ANN, 4, "cloud"), (ANN, 18, "mail"), (BOB, 5, "cloud"), (CID, 17, "mail"))
    yield from (order(who, n, AT + after * DAY, 100, product=of) for n, (who, after, of) in enumerate(bought))
    yield from (order(one, 1, AT + 6 * DAY, 100 if n else 1_000_000, product="cloud") for n, one in enumerate(OTHERS))
    yield from (did(who, "Invoice Sent", AT + 3 * DAY) for who in (BOB, DAN))
    yield from (click(EVE, 3, AT - 366 * DAY, intent="three"), order(EVE, 1, AT - 365 * DAY, 7))


class Story(NamedTuple):
    answers: Answers

    def report(self, name: str, **body: Any) -> tuple[dict[str, Any], Opened]:
        """The report, and who is behind each of its figures."""
        with self.answers.view(NOW, World({})) as view:
            answer, figures = analysing.REPORTS[name][1](view, analysing.read(name, {**PERIOD, **body}))
            return answer, {figure: set(view.ids(np.unique(n()).tolist())) for figure, n in figures.items()}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    kept = Kept(Path(tmp_path_factory.mktemp("story")))
    kept.told(*told())
    yield Story(Answers(kept.index))
    kept.index.close()
    kept.lake.close()


def counts(opened: Opened) -> dict[str, int]:
    return {figure: len(people) for figure, people in opened.items()}


def test_steps_of_a_funnel_of_the_whole_of_its_cohorts_and_of_its_groups(story: Story) -> None:
    steps = [{"event": name} for name in ("Signed Up", "Application Submitted", "Order Completed")]
    found, opened = story.report("funnel", steps=steps, window="5d", by="kind")
    parts = {
        "": found["steps"],
        "complete.": found["complete"],
        **{f"group.{one['value']}.": one["steps"] for one in found["groups"]},
    }
    said = {f"{part}step.{n}": one["people"] for part, of in parts.items() for n, one in enumerate(of, start=1)}
    said |= {f"cohort.{one['from']}.step.{n}": count for one in found["cohorts"] for n, count in enumerate(one["people"], start=1)}
    assert counts(opened) == said
    assert (opened["step.3"], opened["complete.step.3"], opened["group.legal.step.3"]) == ({ANN, BOB, CID}, {ANN, BOB}, {ANN, CID})
    assert (opened["cohort.1971-09-01.step.1"], said["cohort.1971-08-01.step.1"]) == ({CID}, 33)


def test_stages_of_all_cohorts_and_of_each(story: Story) -> None:
    found, opened = story.report("stages")
    names = ("registrations", "applications", "sales", "unsold", "repeats")
    said = {f"cohort.{one['from']}.{name}": one[name] for one in found["cohorts"] for name in names}
    said |= {f"cohort.{one['from']}.visitors.{kind}": count for one in found["cohorts"] for kind, count in one["visitors"].items()}
    said |= {name: sum(one[name] for one in found["cohorts"]) for name in names}
    assert counts(opened) == {**said, "visitors.content": 2, "visitors.product": 1}
    assert (opened["unsold"], opened["repeats"], opened["cohort.1971-09-01.visitors.content"]) == ({DAN}, {DAN}, {ANN})


def test_groups_of_a_cohort_and_whom_it_leaves_out(story: Story) -> None:
    found, opened = story.report("cohort", among=EVERYBODY, product="product", usage={"event": "Signed Up"})
    compared = {"": found["revenue"], ".days_of_use": found["days_of_use"]}
    compared |= {f".product.{one['product']}": one["revenue"] for one in found["products"]}
    said = {"people": found["people"], "left_out": 0, **{f"product.{one['product']}": one["people"] for one in found["products"]}}
    for n, (group, bought) in enumerate(zip(found["groups"], found["cross_sell"], strict=True), start=1):
        said |= {f"group.{n}": group["people"], f"buyers.group.{n}": bought["buyers"], f"several.group.{n}": bought["several"]}
        said |= {f"dropped.group.{n}{what}": one["dropped_by_group"][n - 1] for what, one in compared.items()}
    assert counts(opened) == said | {f"dropped{what}": one["dropped"] for what, one in compared.items()}
    assert opened["dropped"] == opened["dropped.group.1.product.cloud"] == {OTHERS[0]}
    assert (opened["group.2"], opened["several.group.2"], opened["product.mail"]) == ({ANN, BOB}, {ANN}, {ANN, CID})
    found, opened = story.report("cohort", among=EVERYBODY, landmark="10d")
    assert (found["left_out"], opened["left_out"], opened["people"] & {ANN, CID}) == (1, {CID}, {ANN})


def test_touch_points_of_both_years_and_each_column_of_a_place(story: Story) -> None:
    found, opened = story.report("touchpoints")
    said = {"buyers": found["first_buyers"], "a_year_ago": found["first_buyers_a_year_ago"]}
    said |= {
        f"{figure}.{one['channel']}": one[column]
        for one in found["channels"]
        for figure, column in (("buyers", "people"), ("a_year_ago", "a_year_ago"))
    }
    columns = ("shown", "left", "new", "registered", "paid")
    assert counts(opened) == said | {f"{column}.{one['place']}": one[column] for one in found["places"] for column in columns}
    assert (opened["buyers.paid"], opened["a_year_ago.email"], opened["a_year_ago.paid"]) == ({ANN}, {EVE}, set())
    assert [opened[f"{column}.popup"] for column in columns] == [{ANN, BOB}, {ANN, EVE}, {ANN}, {ANN, EVE}, {ANN}]
    assert [opened[f"{column}.form"] for column in columns] == [set(), {CID, DAN}, {DAN}, {CID}, {CID}]


def test_channels_mechanics_and_teams_by_period_and_both_sides(story: Story) -> None:
    asked = {"target": TARGET, "sales": {"event": "Invoice Sent"}, "teams": {"journey": "retention"}, "by": "month"}
    found, opened = story.report("channels", **asked)
    said = {name: one["people"] for name, one in found["side_by_side"].items()}
    said |= {f"credited.{name}": one["people"] for name, one in found["credited"].items()}
    said |= {f"{kind}.{one['from']}.{one['name']}": one["people"] for kind, rows in found["by"].items() for one in rows}
    assert counts(opened) == said
    assert (opened["both"], opened["credited.mail"], opened["channel.1971-08-01.email"]) == ({BOB}, {ANN, BOB}, {ANN, BOB})
    assert opened["team.1971-09-01.(others)"] == opened["credited.ads"] == {ANN}, "the letter's week was over, the ad's month not"
    year = story.report("channels", **{**asked, "by": "year"})[0]["by"]["channel"]
    assert [(one["name"], one["conversions"], one["people"]) for one in year] == [
        ("(nobody)", 31, 31),
        ("email", 2, 2),
        ("paid", 1, 1),
    ]


def test_who_came_in_a_period_and_who_came_back(story: Story) -> None:
    for name in ("lifetime", "retention"):
        found, opened = story.report(name)
        said = {f"cohort.{one['from']}": one["people"] for one in found["cohorts"]}
        said |= {
            f"cohort.{one['from']}.back.{n}": count
            for one in found["cohorts"]
            for n, count in enumerate(one.get("back", ()), start=1)
        }
        assert counts(opened) == said
    assert (opened["cohort.1971-08-01.back.2"], opened["cohort.1971-09-01"]) == ({ANN}, {CID})


def test_credit_by_every_model_and_what_became_of_applications(story: Story) -> None:
    found, opened = story.report(
        "attribution", target={"event": "Application Submitted"}, level="document", leads={"product": "product"}
    )
    labels = {row["label"]: row["people"] for row in found["rows"]}
    assert labels == {"paid": 1, "journey:welcome": 1, "journey:news": 1} and found["people"] == 4
    leads = {figure.removeprefix("leads."): people for figure, people in opened.items() if figure.startswith("leads.")}
    credited = {figure: people for figure, people in opened.items() if not figure.startswith("leads.")}
    way = {"paid": {ANN}, "journey:welcome": {ANN}, "journey:news": {BOB}}
    by_model = {f"{model}.{label}": whom for model, (label, whom) in product(("people", *MODELS), way.items())}
    unattributed = {f"unattributed.{model}": {CID, DAN} for model in MODELS}
    assert credited == {"people": {ANN, BOB, CID, DAN}, **by_model, **unattributed, "first_touch.journey:welcome": set()}
    assert (len(leads["applications"]), len(leads["people_again_after_letter"])) == (
        found["leads"]["people"],
        found["leads"]["people_again_after_letter"],
    )
    by = {f"{what}.{label}": set[str]() for what in ("last_click", "origin", "assists") for label in labels}
    assert leads == {
        "applications": {ANN, BOB, CID, DAN}, "leads": {ANN, BOB, CID, DAN}, "repeats": {ANN, DAN}, "people_again_after_letter": {ANN},
        "cannibalised": {ANN}, "cannibalised.of": {ANN, BOB}, "cannibalised.after_lead": {ANN}, "cannibalised.after_paid_visit": {ANN},
        "unattributed.last_click": {CID, DAN}, "unattributed.origin": {CID, DAN}, **by, "last_click.paid": {ANN},
        "last_click.journey:welcome": {ANN}, "last_click.journey:news": {BOB}, "origin.paid": {ANN}, "origin.journey:news": {BOB},
        "assists.journey:welcome": {ANN},
    }  # fmt: skip
    asked = {"target": {"event": "Application Submitted"}, "last": {"paid": "30m"}}
    found, opened = story.report("attribution", **asked)
    assert [found["unattributed"][model]["conversions"] for model in ("last_click", "linear")] == [4, 3]
    assert (opened["unattributed.last_click"], opened["unattributed.linear"]) == ({ANN, CID, DAN}, {CID, DAN})
    assert (opened["last_click.paid"], opened["linear.paid"]) == (set(), {ANN}), (
        "an ad of an hour ago is not the last click any more"
    )


PAGE = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
ROWS = [row.split("|") for row in PAGE.partition("## Figures that open people")[2].splitlines() if row.startswith("| ")]


@pytest.mark.parametrize("name", analysing.REPORTS)
def test_the_page_names_every_kind_of_figure_that_opens_people(name: str, story: Story) -> None:
    asked: dict[str, dict[str, Any]] = {
        "attribution": {"target": TARGET, "leads": {}}, "cohort": {"among": EVERYBODY, "product": "product"}, "channels": {"target": TARGET},
        "funnel": {"steps": [{"event": "Signed Up"}, {"event": "Order Completed"}], "by": "kind"},
    }  # fmt: skip
    _, opened = story.report(name, **asked.get(name, {}))
    (told,) = (row[2] for row in ROWS if name in row[1])
    assert {figure.partition(".")[0] for figure in opened} <= set(re.findall(r"[a-z_]+", told)) | {"leads"}
    leads = {figure.split(".")[1] for figure in opened if figure.startswith("leads.")}
    assert leads <= {word for row in ROWS if "leads" in row[1] for word in re.findall(r"leads\.([a-z_]+)", row[2])}


def test_a_figure_is_asked_for_by_its_name_page_by_page_and_no_other(story: Story) -> None:
    asked = analysing.read("channels", {**PERIOD, "target": TARGET})
    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["next"] is not None:
        wanted = {"figure": "channel.1971-07-01.(nobody)", "limit": 20, "after": pages[-1]["next"] if pages else None}
        pages.append(analysing.report(story.answers, World({}), "channels", asked, wanted, NOW))
    people = [one for page in pages for one in page["people"]]
    assert (len(pages), set(people), len(people)) == (2, {CID, *OTHERS}, 31) and {page["count"] for page in pages} == {31}
    with pytest.raises(Refused, match="no figure"):
        analysing.report(story.answers, World({}), "channels", asked, {"figure": "channel.1971-07-01.sms"}, NOW)
