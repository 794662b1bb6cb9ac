"""Conditions through the gateway: in words, with warnings of what was never seen or makes no sense, within limits, every fault at once."""

from typing import Any

import pytest

from schemas.attribution import Cohort, Funnel, Lifetime
from schemas.audience_reading import parse
from schemas.paths import steps_of
from schemas.reports import Outcomes, Target
from services.gateway.domain.acquaintance import Seen, Value, unfamiliar, unfamiliar_in
from services.gateway.domain.cost import MOST_OF_ALL, MOST_OF_ONE, cost
from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Problem
from services.gateway.domain.references import Standing, check
from services.gateway.handler import noticing
from services.profile.__main__ import service as profile
from services.warehouse.__main__ import service as warehouse
from tests.gateway.conftest import faults_of, open_site, problem_of
from tests.gateway.test_people import settled
from tests.support.live import T0, fact, publish

ANN = "email:ann@example.org"
BOUGHT = {"kind": "did", "event": "Order Completed"}
SUM = {"kind": "total", "event": "X", "sum": "n", "op": "ge", "value": 1}


def attribute(name: str, op: str = "exists", **more: Any) -> dict[str, Any]:
    return {"kind": "attribute", "name": name, "op": op, **more}


def faults(body: dict[str, Any], kind: str = "segment") -> list[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        read(KINDS[kind], "k", body)
    return [(fault.path, fault.code) for fault in caught.value.faults]


SEEN = Seen(
    events=frozenset({"Order Completed", "Order Cancelled", "identify"}),
    properties={"Order Completed": {"total.minor": Value("int"), "total.currency": Value("string"), "products": Value("list"), "rate": Value("float")}},
    attributes={"plan": Value("string", {"int": 3}), "account.kind": Value("string"), "since": Value("string"), "survey\\.nps\\.score": Value("int")},
)  # fmt: skip


def noticed(document: dict[str, Any], seen: Seen = SEEN) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in unfamiliar(parse(document), seen)]


@pytest.mark.parametrize(
    ("document", "warnings"),
    [
        (attribute("plan", "eq", value="pro"), []),
        (attribute("plan", "eq", value=5), [("name", "other_type")]),
        (attribute("Plan"), [("name", "unknown_attribute")]),
        (attribute("account", path="kind"), []),
        (attribute("account"), []),
        (attribute("account", path="size"), [("name", "unknown_attribute")]),
        (attribute("survey.nps.score", "ge", value=9), []),
        (attribute("birthday"), []),
        ({"kind": "date", "name": "since", "after": 0}, []),
        ({"kind": "date", "name": "survey.nps.score", "after": 0}, []),
        ({"kind": "anniversary", "name": "nobody_knows"}, [("name", "unknown_attribute")]),
        ({**BOUGHT, "window": {"kind": "around", "name": "nobody", "after": 0}}, [("window.name", "unknown_attribute")]),
        ({"kind": "did", "event": "Order Complete"}, [("event", "unknown_event")]),
        ({**BOUGHT, "where": [{"path": "total.minor", "op": "ge", "value": 1}, {"path": "totl", "op": "exists"}]}, [("where.1.path", "unknown_property")]),
        ({**BOUGHT, "where": [{"path": "total.currency", "op": "ge", "value": 1}]}, [("where.0.path", "other_type")]),
        ({**BOUGHT, "where": [{"path": "email", "op": "exists"}]}, []),
        ({**BOUGHT, "lines": {"path": "products"}}, []),
        ({**BOUGHT, "lines": {"path": "items"}}, [("lines.path", "unknown_property")]),
        ({**SUM, "event": "Order Completed", "sum": "total.minor"}, []),
        ({**SUM, "event": "Order Completed", "sum": "rate"}, [("sum", "other_type")]),
        ({"kind": "sequence", "first": {"event": "identify"}, "then": {"event": "Y"}, "within": 5}, [("then.event", "unknown_event")]),
        ({"kind": "not", "of": {"kind": "since", "event": "Y", "without": {"event": "Z"}}}, [("of.event", "unknown_event"), ("of.without.event", "unknown_event")]),
    ],
)  # fmt: skip
def test_names_and_types_that_were_never_seen_are_told_with_their_place(document, warnings):
    assert noticed(document) == warnings
    assert noticed(document, Seen()) == [], "before the first fact nothing is known"


@pytest.mark.parametrize(
    ("asked", "warnings"),
    [
        (Outcomes(target=Target(event="Order Completed", value="total")), []),
        (Outcomes(target=Target(event="Order Completed", value="total.minor")), []),
        (Outcomes(target=Target(event="Order Completed", value="revenue")), [("target.value", "unknown_property")]),
        (Outcomes(target=Target(event="Order Completed", value="rate")), [("target.value", "other_type")]),
        (Outcomes(target=Target(event="Order", value="revenue")), [("target.event", "unknown_event")]),
        (Outcomes(), []),
        (Funnel(since=0, until=1, steps=({"event": "identify"}, {"event": "Y"})), [("steps.1.event", "unknown_event")]),
        (Lifetime(since=0, until=1, start={"event": "Order Completed", "where": ({"path": "totl", "op": "exists"},)}), [("start.where.0.path", "unknown_property")]),
        (Cohort(since=0, until=1, among={"kind": "did", "event": "Y"}, registered={"event": "identify"}, groups=({"name": "g", "condition": {"kind": "did", "event": "Y"}},)), [("opened.event", "unknown_event")]),
    ],
)  # fmt: skip
def test_what_a_report_counts_and_nobody_ever_saw_is_told_with_its_place(asked, warnings):
    assert [(fault.path, fault.code) for fault in unfamiliar_in(asked, SEEN)] == warnings
    assert unfamiliar_in(asked, Seen()) == [], "before the first fact nothing is known"


def test_the_nearest_names_are_told():
    (fault,) = unfamiliar(parse({"kind": "did", "event": "Order Complete"}), SEEN)
    assert fault.told("en")["message"].endswith("the event `Order Complete`: `Order Completed`, `Order Cancelled`?")
    (fault,) = unfamiliar(parse({"kind": "did", "event": "qqq"}), SEEN)
    assert fault.told("ru")["message"] == "событие `qqq` здесь ещё не встречалось"


def test_an_event_whose_names_are_too_many_to_know_is_not_judged():
    crowded = Seen(SEEN.events, {"Order Completed": {f"p{n}": Value("int") for n in range(200)}})
    assert noticed({**BOUGHT, "where": [{"path": "another", "op": "exists"}]}, crowded) == []


def test_paths_of_the_catalogue_are_taken_apart():
    assert (
        steps_of("a.b") == ("a", "b")
        and steps_of("survey\\.nps\\.score") == ("survey.nps.score",)
        and steps_of("a\\\\.b") == ("a\\", "b")
    )


def test_what_conditions_cost():
    happening = {"event": "X", "where": [{}] * 5, "lines": {"path": "l", "where": [{}] * 5}}
    assert cost({"kind": "all", "of": []}) == 0
    assert cost({"kind": "not", "of": {"kind": "any", "of": [attribute("x"), BOUGHT, SUM]}}) == 1 + 2 + 3
    assert cost({"kind": "sequence", "first": happening, "then": happening, "within": 1}) == 10 + 4
    assert cost({"kind": "average", "of": "n", "event": "X"}) == 3, "`of` is a path here"


def test_a_document_that_costs_too_much_is_refused_with_the_figures():
    sequence = {"kind": "sequence", "first": {"event": "A"}, "then": {"event": "B"}, "within": 1}
    dear = {"kind": "all", "of": [sequence] * (MOST_OF_ONE // 10)}
    read(KINDS["segment"], "k", {"condition": dear})
    assert faults({"condition": {"kind": "all", "of": [dear, BOUGHT]}}) == [("condition", "cost")]
    asked = {"if": {"kind": "all", "of": [SUM] * 200}}
    steps = [{"id": f"s{n}", **asked, "then": f"s{n + 1}" if n < 2 else None} for n in range(3)]
    body = {"brand": "shop", "trigger": {"event": "X"}, "steps": steps}
    assert faults(body, "journey") == [("steps.0.if", "cost")]


def test_all_documents_in_force_together_have_a_bound():
    world = {
        ("segment", "other"): Standing(1, None, frozenset(), cost=MOST_OF_ALL - 2),
        ("segment", "k"): Standing(1, None, frozenset(), cost=50),
    }
    small = read(KINDS["segment"], "k", {"condition": BOUGHT})
    assert check("segment", "k", small, world) == [], "what it costs in force goes with the old version"
    (fault,) = check("segment", "k", read(KINDS["segment"], "k", {"condition": SUM}), world)
    assert (fault.code, fault.params) == ("cost_of_all", {"cost": 3, "others": MOST_OF_ALL - 2, "limit": MOST_OF_ALL})
    assert check("topic", "t", read(KINDS["topic"], "t", {"name": {"en": "T"}}), world) == []


def nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = BOUGHT
    for _ in range(levels - 1):
        document = {"kind": "not", "of": document}
    return document


async def describe(site, condition: Any, **more: Any):
    return await site.http.post("/api/segments/describe", json={"condition": condition, **more})


async def test_a_condition_in_words(site):
    condition = {
        "kind": "all",
        "of": [{**BOUGHT, "within": 86_400_000}, {"kind": "not", "of": {"kind": "segment", "key": "worded"}}],
    }
    await site.publish("segments", {"key": "worded", "name": "Лучшие", "condition": BOUGHT})
    answer = (await describe(site, condition, lang="ru")).json()
    whole = "купил хотя бы раз за последний день и не в сегменте «Лучшие»"
    assert answer == {
        "lang": "ru",
        "sentence": whole,
        "nodes": [
            {"path": "", "text": whole},
            {"path": "of.0", "text": "купил хотя бы раз за последний день"},
            {"path": "of.1", "text": "не в сегменте «Лучшие»"},
            {"path": "of.1.of", "text": "в сегменте «Лучшие»"},
        ],
        "warnings": [],
        "cost": 3,
        "limit": MOST_OF_ONE,
    }
    english = await site.http.post("/api/segments/describe", json={"condition": BOUGHT}, headers={"Accept-Language": "en"})
    assert english.json()["sentence"] == "bought at least once"
    problem_of(await site.as_key("POST", "/api/segments/describe", "nobody's", json={"condition": BOUGHT}), 401, "unauthorized")


async def test_bad_conditions_are_told_of_whole(site):
    wrong = {"kind": "all", "of": [attribute("x", "gt", value="a"), {"kind": "nope"}, {**BOUGHT, "value": -1}]}
    assert faults_of(await describe(site, wrong)) == {
        ("condition.of.0.op", "type"),
        ("condition.of.1", "union_tag_invalid"),
        ("condition.of.2.value", "greater_than_equal"),
    }
    assert faults_of(await describe(site, {"kind": "any", "of": [BOUGHT] * 500})) == {("condition", "leaves")}
    assert faults_of(await describe(site, nested(17))) == {("condition", "depth")}
    assert (await describe(site, nested(12))).json()["nodes"][-1]["text"] == "bought at least once"
    assert faults_of(await site.http.post("/api/segments/describe", json={"lang": "de"})) >= {("lang", "literal_error")}
    russian = await site.http.put(
        "/api/segments/many", json={"condition": {"kind": "any", "of": [BOUGHT] * 500}}, headers={"Accept-Language": "ru"}
    )
    assert russian.json()["errors"][0]["message"] == "условий 500, можно 200: вынесите часть в сегменты"
    assert faults_of(await site.http.put("/api/segments/language", json={"condition": BOUGHT})) == {("key", "key_reserved")}


async def test_segments_that_ask_about_each_other_in_a_circle_are_refused(site):
    def ask(key: str, *of: str) -> dict[str, Any]:
        return {"key": key, "condition": {"kind": "all", "of": [{"kind": "segment", "key": one} for one in of]}}

    await site.publish("segments", ask("round-a"))
    await site.publish("segments", ask("round-b", "round-a"))
    await site.http.put("/api/segments/round-a", json=ask("round-a", "round-b"))
    assert faults_of(await site.http.post("/api/segments/round-a/publish")) == {("condition", "cycle")}


async def test_a_contradiction_is_a_warning_and_is_published_all_the_same(site):
    body = {"key": "nobody", "condition": {"kind": "all", "of": [attribute("x", "gt", value=5), attribute("x", "lt", value=3)]}}
    wanted = {"path": "condition", "code": "never_true", "message": "nobody can meet this: it excludes itself (`of.0`, `of.1`)"}
    saved = await site.http.put("/api/segments/nobody", json=body)
    assert saved.status_code == 201 and saved.json()["_meta"]["warnings"] == [wanted]
    assert (await site.http.put("/api/segments/nobody", json=saved.json())).status_code == 200, "as it was given it is taken back"
    done = await site.http.post("/api/segments/nobody/publish", headers={"Accept-Language": "ru"})
    assert done.json()["version"] == 1
    assert done.json()["warnings"][0]["message"] == "этого не выполнит никто: условие исключает само себя (`of.0`, `of.1`)"
    everything = {
        "documents": [
            {"kind": "segment", "body": {**body, "name": "x"}},
            {"kind": "topic", "body": {"key": "t", "name": {"en": "T"}}},
        ]
    }
    imported = (await site.http.post("/api/documents/import", json=everything)).json()["documents"]
    assert {one["key"]: one.get("warnings") for one in imported} == {"nobody": [wanted], "t": None}
    saved = await site.http.put("/api/segments/somebody", json={"condition": BOUGHT})
    assert "warnings" not in saved.json()["_meta"]


def test_a_step_that_keeps_buyers_by_default_is_not_warned_of():
    body = {"key": "j", "brand": "shop", "trigger": {"event": "X"}, "steps": [{"id": "p", "purge": "person"}]}
    kind = KINDS["journey"]
    read_back = read(kind, "j", body).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert noticing._conditions(kind, read_back) == []


async def test_names_and_types_are_those_that_the_lake_has_seen_and_a_changed_type_is_told(config):
    async with open_site(config, profile(), warehouse(pace_s=0)) as site:
        bought = {"total": {"minor": 1999, "currency": "GBP"}, "products": [{"sku": "a"}], "a.b": 1, "first_name": "Ann"}
        said = {"plan": "pro", "tags": ["x"], "account": {"kind": "legal"}}
        await publish(
            config,
            [
                fact("1", ANN, at=T0, event="Order Completed", properties=bought),
                fact("2", ANN, at=T0 + 1, type="identify", event="", attributes=said),
                fact("3", ANN, at=T0 + 2, event="Logged Out"),
                fact("4", ANN, at=T0 + 3, type="identify", event="", attributes={"plan": 5}),
            ],
            key="one",
        )
        await settled(site)
        told = (await site.http.get("/api/segments/language")).json()
        events = {one["name"]: one["properties"] for one in told["events"]}
        assert {"Order Completed", "identify", "Logged Out", "profile.changed"} <= events.keys() and events["Logged Out"] == []
        assert events["Order Completed"] == [
            {"path": "products", "type": "list", "whole": False},
            {"path": "total.currency", "type": "string", "whole": False},
            {"path": "total.minor", "type": "number", "whole": True},
        ]
        attributes = {(one["name"], one["path"]): one for one in told["attributes"]}
        assert attributes["plan", ""]["type"] == "string" and attributes["plan", ""]["others"]["number"] >= 1
        assert attributes["account", "kind"]["type"] == "string" and attributes["tags", ""]["type"] == "list"
        assert told["schema"]["$defs"]["Did"]["x-title-ru"] == "Сколько раз" and told["limits"]["conditions"] == 200

        parts = [attribute("plan", "eq", value=5), attribute("tags", "contains", value="x"), {"kind": "did", "event": "Logged Out"},
                 {"kind": "did", "event": "Loged Out"}, {**BOUGHT, "lines": {"path": "products"}}]  # fmt: skip
        body = {"key": "k", "condition": {"kind": "all", "of": parts}}
        found = (await site.http.put("/api/segments/k", json=body)).json()["_meta"]["warnings"]
        assert [(one["path"], one["code"]) for one in found] == [
            ("condition.of.0.name", "other_type"),
            ("condition.of.3.event", "unknown_event"),
        ]
        assert "`Logged Out`" in found[1]["message"]
        assert (await site.http.post("/api/segments/k/publish")).json()["version"] == 1

        spent = {"key": "spent", "kind": "mean", "target": {"event": "Order Completed", "value": "totl"}}
        trial = {"key": "t", "brand": "one", "of": {"kind": "imported", "document": "t"}, "start": "2026-03-01T00:00:00Z", "primary": spent,
                 "arms": [{"name": "control", "share": 50}, {"name": "b", "share": 50}]}  # fmt: skip
        answer = await site.http.put("/api/experiments/t", json=trial, headers={"Accept-Language": "ru"})
        saved = answer.json()["_meta"]["warnings"]
        assert saved == [
            {"path": "primary.target.value", "code": "unknown_property", "message": "у события ещё не было свойства `totl`"}
        ]
