"""The ready-made mechanics are whole: valid, publishable together, in both languages, and one for each row; and what is made of them for a brand."""

import asyncio
import json
from typing import Any

import pytest

from deploy import publishing
from runtime import own
from schemas.parameters import Pattern, fits
from schemas.templates import Template as Document
from services.gateway.domain.kinds import KINDS, brand_of, kept, key_of, read, text_of
from services.gateway.domain.mechanics import Install, differences, fitted, made
from services.gateway.domain.patterns import made_of
from services.gateway.domain.problems import Problem
from services.gateway.domain.references import Standing, check, refs_of
from services.gateway.handler.documents import _in_order, read_import
from services.gateway.handler.publishing import LANE
from services.gateway.store.mechanics import FOLDER, shipped
from services.sender.content.templates import Parts, Template, TemplateSource, compile_template, render
from tests.gateway.conftest import open_site
from tests.support.live import until

ROWS = {
    *("J1", "J2", "J3", "J4", "J5", "J6", "J7", "J8", "J9", "J12", "J14", "J15", "J16", "J17", "J18"),
    *("C7", "R1", "R2", "R3", "R7", "R8"),
}
ALL = shipped()
WAITS = "SELECT pid FROM pg_locks WHERE NOT granted"
LETTERS = {one["body"]["key"]: one["body"] for mechanic in ALL.values() for one in mechanic.documents if one["kind"] == "template"}
EXAMPLE = {
    "profile": {"firstName": "Ann", "survey.discovery.interest": "cloud", "cart": {"products": [{"name": "Kettle"}]}},
    "event": {
        "title": "T",
        "name": "N",
        "url": "U",
        "starts_at": 1_800_000_000_000,
        "products": [{"name": "Kettle"}],
        "login": "ann",
    },
    "promo": {step: {"code": "A-1", "text": "10 %"} for step in ("gift", "code", "percent")},
    "param": {"product_name": "Cloud", "course_name": "Python"},
    "run": {"started_at": 1_800_000_000_000},
    "now": 1_800_007_200_000,
    "survey_url": {"nps": "https://h/nps", "churn": "https://h/churn", "discovery": "https://h/d"},
    **{f"{name}_url": f"https://h/{name}" for name in ("unsubscribe", "preferences", "confirm")},
}


def world_of(documents: list[dict[str, Any]], brand: str = "shop") -> dict[tuple[str, str], Standing]:
    """Published in the order of an import, each checked. Instances come to whole journeys that are checked too."""
    world = {("brand", brand): Standing(1, brand, frozenset())}
    patterns: dict[str, Pattern] = {}
    for _, kind, document in _in_order(read_import({"documents": documents})):
        key = key_of(document)
        whole = document
        assert check(kind.name, key, document, world) == [], key
        if isinstance(document, Pattern):
            patterns[key] = document
        elif "of" in text_of(document):
            whole = kept("journey", made_of(document, patterns[text_of(document)["of"]]))
            assert check(kind.name, key, whole, world) == [], key
        channel = text_of(whole).get("channel", "email")
        world[kind.name, key] = Standing(1, brand_of(kind.name, whole), refs_of(whole), channel, pattern=isinstance(whole, Pattern))
    return world


def test_every_row_has_a_mechanic_and_each_is_told_in_both_languages():
    assert {row for one in ALL.values() for row in one.about.rows} == ROWS
    listed = (FOLDER.parent / "mechanics.md").read_text(encoding="utf-8")
    for name, one in ALL.items():
        assert one.about.name == name and one.about.title.keys() == {"en", "ru"} and one.documents
        readme = (FOLDER / name / "README.md").read_text(encoding="utf-8")
        assert all(f"# {title}\n" in readme for title in one.about.title.values())
        assert f"mechanics/{name}/README.md" in listed


def test_all_of_them_can_be_in_force_together_and_none_takes_a_key_of_another():
    documents = [document for one in ALL.values() for document in one.documents]
    keys = [(one["kind"], one["body"]["key"]) for one in documents]
    assert len(keys) == len(set(keys)) > 100
    world_of(documents)


@pytest.mark.parametrize("name", ALL)
def test_each_stands_by_itself_for_another_brand_under_a_prefix(name):
    documents = made(ALL[name], Install(brand="kettles", prefix="k-"))
    world = world_of(documents, "kettles")
    assert all(key.startswith("k-") for kind, key in world if kind != "brand")
    refs = {ref for standing in world.values() for ref in standing.refs}
    assert all(ref == "brand:kettles" or ref.partition(":")[2].startswith("k-") for ref in refs)
    assert "shop" not in {text_of(read(KINDS[one["kind"]], one["body"]["key"], one["body"])).get("brand") for one in documents}


@pytest.mark.parametrize("name", ALL)
def test_the_command_publish_takes_the_same_documents(name):
    file = FOLDER / name / f"{name}.yaml"
    assert list(publishing.read(file, None)) == list(ALL[name].documents)
    assert list(publishing.read(file, "kettles")) == [
        {**one, "body": fitted(one["body"], "kettles")} for one in ALL[name].documents
    ]


@pytest.mark.parametrize("key", LETTERS)
def test_every_letter_can_be_read_in_both_languages(key):
    body = Document.model_validate(LETTERS[key])
    template = compile_template(TemplateSource(key, 1, body.subject, body.text, blocks=body.blocks))
    assert isinstance(template, Template), template
    texts = {}
    for language in ("en", "ru-RU"):
        parts = render(template, {**EXAMPLE, "language": language})
        assert isinstance(parts, Parts), parts
        assert "{" not in parts.subject + parts.text and parts.text.strip() and "None" not in parts.text
        assert bool(parts.subject) == (body.channel == "email")
        texts[language] = parts.subject + parts.text
    assert any("а" <= letter <= "я" for letter in texts["ru-RU"].lower())
    assert not any("а" <= letter <= "я" for letter in texts["en"].lower())


def test_the_cart_is_told_with_his_name_the_goods_and_how_long():
    body = LETTERS["cart-1"]
    template = compile_template(TemplateSource("cart-1", 1, body["subject"], body["text"]))
    assert isinstance(template, Template)
    parts = render(template, {**EXAMPLE, "language": "en"})
    assert isinstance(parts, Parts)
    assert "Ann" in parts.text and "- Kettle" in parts.text and "For 2 hours" in parts.text
    parts = render(template, {**EXAMPLE, "language": "ru", "profile": {}})
    assert isinstance(parts, Parts)
    assert "- N" in parts.text and "Уже 2 часа" in parts.text, "without the attribute, what was put in first"


def test_parameters_have_defaults_that_fit_and_change_what_they_say():
    knobs = [(mechanic, knob) for mechanic in ALL.values() for knob in mechanic.told()["parameters"]]
    assert len(knobs) > 10
    for mechanic, knob in knobs:
        assert fits(knob["type"], knob["default"]), knob
        assert made(mechanic, Install(brand="shop", parameters={knob["name"]: knob["default"]})) == list(mechanic.documents)
    cart = made(ALL["abandoned-cart"], Install(brand="shop", parameters={"pause": "3h"}))
    (journey,) = (one["body"] for one in cart if one["kind"] == "journey")
    assert journey["steps"][0]["wait"] == "3h"
    (due,) = (one["body"] for one in made(ALL["nps"], Install(brand="x", parameters={"after": "14d"})) if one["kind"] == "segment")
    assert due["condition"]["age"] == 14 * 86_400_000, "conditions have ms"
    (rule,) = (one["body"] for one in made(ALL["caps"], Install(brand="x", parameters={"a_week": 2})) if one["kind"] == "rule")
    assert [(cap["most"], cap["brand"]) for cap in rule["caps"]] == [(2, "x"), (1, "x")]


def test_parameters_that_are_wrong_are_all_told():
    with pytest.raises(Problem) as caught:
        made(ALL["abandoned-cart"], Install(brand="shop", parameters={"pause": "soon", "colour": 1}))
    assert {(one.path, one.code) for one in caught.value.faults} == {
        ("parameters.pause", "parameter_type"),
        ("parameters.colour", "unknown_parameter"),
    }


def test_links_to_surveys_and_their_answers_follow_the_prefix():
    text = json.dumps(made(ALL["discovery"], Install(brand="b", prefix="b-")), ensure_ascii=False)
    assert "survey_url.b-discovery" in text and "survey.b-discovery.interest" in text and "survey.discovery." not in text
    assert '"survey": {"key": "b-discovery", "question": "kind"}' in text, "another survey is no answer to this one"
    waits = {"event": "Survey Completed", "where": [{"path": "survey", "op": "eq", "value": "nps"}]}
    assert fitted(waits, "b", "b-", {"nps"})["where"] == [{"path": "survey", "op": "eq", "value": "b-nps"}]


def test_where_two_bodies_differ():
    before = {"a": 1, "steps": [{"id": "x", "wait": "1d"}], "same": 1}
    assert list(differences(before, {**before, "steps": [{"id": "x", "wait": "2d"}]})) == [".steps.0.wait"]
    assert list(differences(before, {**before, "a": 2, "steps": []})) == [".a", ".steps"]


def test_no_value_of_yaml_is_read_as_something_that_json_has_not():
    for mechanic in ALL.values():
        assert json.loads(json.dumps(mechanic.documents)) == list(mechanic.documents)


async def test_what_a_key_may_install_and_that_drafts_are_in_nobodys_way(config):
    async with open_site(config) as site:
        for brand in ("kettles", "cups"):
            await site.publish("brands", {"key": brand, "name": brand})
        writer = await site.new_key("read", "write", brands=["kettles"])
        publisher = await site.new_key("read", "write", "publish", brands=["kettles"])

        async def install(name: str, key: str, **asked: Any) -> Any:
            return await site.as_key("POST", f"/api/mechanics/{name}/install", key, json={"brand": "kettles", **asked})

        assert (await install("welcome", writer)).status_code == 200
        journey = (await site.http.get("/api/journeys/welcome")).json()
        assert (journey["brand"], journey["_meta"]["published_version"]) == ("kettles", None)
        assert (await install("welcome", writer, publish=True)).json()["code"] == "scope_missing"
        assert (await install("welcome", publisher, brand="cups")).json()["code"] == "brand_forbidden"
        assert (await install("welcome", publisher, publish=True)).status_code == 200
        async with site.context.db.transaction() as connection:  # somebody publishes, and comes to its documents now
            await own.lock(connection, LANE)
            again = asyncio.create_task(install("welcome", publisher, publish=True))
            await until(lambda: connection.fetchval(WAITS))
            await connection.execute("SELECT FROM document WHERE kind = 'journey' AND key = 'welcome' FOR UPDATE NOWAIT")
        assert {one["changed"] for one in (await again).json()["documents"]} == {False}
        assert (await install("trial", publisher, publish=True)).json()["code"] == "scope_missing", "a webhook needs an admin"
        assert (await site.http.get("/api/journeys/trial")).status_code == 404, "all of it or none"
        assert (await install("welcome", publisher, colour="red")).json()["errors"][0]["path"] == "colour"
        first = await site.http.post("/api/mechanics/welcome/install", json={"brand": "cups"})
        assert first.json()["code"] == "mechanic_differs" and len(first.json()["errors"]) == 9, "keys are those of the installation"
        second = await site.http.post("/api/mechanics/welcome/install", json={"brand": "cups", "prefix": "cups-", "publish": True})
        assert second.status_code == 200, second.text
        told = (await site.as_key("GET", "/api/mechanics/welcome", writer)).json()
        assert told["parameters"][0]["default"] == "2d" and "body" in told["documents"][0]
