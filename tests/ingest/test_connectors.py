"""The ready connectors on the payloads that their sources send, and what a mapping may and may not do."""

import sys
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import yaml
from pydantic import ValidationError

from schemas.connectors import Connector
from services.ingest.domain import hooks, make, read_payload
from services.ingest.handler.connectors import read
from services.ingest.store import Kept

READY = Path(__file__).parents[2] / "deploy" / "connectors"
PAYLOADS = Path(__file__).parent / "data" / "hooks"
NOW = 1_795_700_000_000
BITRIX = "id=12&stage=C1%3ALOSE&email=ann%40example.org&phone=89161234567&name=Ann&price=100&reason=dear"
QUERIES = {"bitrix24": BITRIX, "mindbox": "operation=Website.ViewProduct&deviceUUID=5f3a"}
ANN = ("email:ann@example.org", "phone:+79161234567")
BOT = (ANN[0], "telegram_id:100500")

CASES = [
    ("tilda", "tilda.form", [("identify", "", ANN), ("track", "Form Submitted", ANN)]),
    ("tilda", "tilda-test.form", []),
    ("marquiz", "marquiz.json", [("identify", "", ANN), ("track", "Quiz Finished", ANN)]),
    ("marquiz", "marquiz.form", [("identify", "", ANN), ("track", "Quiz Finished", ANN)]),
    ("amocrm", "amocrm-contact.form", [("identify", "", ("user_id:amo-77", *ANN))]),
    ("amocrm", "amocrm-lead.form", [("track", "Deal Updated", ("user_id:amo-77",))]),
    (
        "amocrm",
        "amocrm-update.form",
        [
            ("identify", "", ("user_id:amo-77", ANN[0])),
            ("track", "Deal Updated", ("user_id:amo-77",)),
            ("track", "Deal Deleted", ("user_id:amo-77",)),
        ],
    ),
    ("botmother", "botmother.json", [("identify", "", BOT), ("track", "Bot Step Reached", BOT)]),
    ("botmother", "botmother-vk.json", [("identify", "", ("vk_id:42",)), ("track", "Bot Step Reached", ("vk_id:42",))]),
    (
        "mindbox",
        "../mindbox/view-product.json",
        [("track", "Product Viewed", ("anonymous_id:5f3a",))],
    ),
    (
        "chat2desk",
        "chat2desk.json",
        [("identify", "", ("user_id:c2d-42", ANN[1])), ("track", "Chat Message Received", ("user_id:c2d-42",))],
    ),
    ("chat2desk", "chat2desk-outbox.json", []),
    (
        "google-forms",
        "google-forms.json",
        [
            ("identify", "", ANN[:1]),
            ("track", "Survey Answered", ANN[:1]),
            ("track", "Survey Completed", ANN[:1]),
        ],
    ),
    ("zapier", "zapier.json", [("identify", "", ANN[:1]), ("track", "Lead Received", ANN[:1])]),
    (
        "retailcrm",
        "retailcrm.form",
        [("identify", "", ANN), ("track", "Order Status Changed", ANN), ("track", "Deal Updated", ANN)],
    ),
    ("bitrix24", "bitrix24.form", [("identify", "", ANN), ("track", "Deal Updated", ANN)]),
]


def ready(name: str) -> Connector:
    return Connector.model_validate(yaml.safe_load((READY / f"{name}.yaml").read_text(encoding="utf-8"))["body"])


def kept(file: str, query: str = "", at: int = NOW) -> Kept:
    kind = "application/json" if file.endswith("json") else "application/x-www-form-urlencoded"
    body = (PAYLOADS / file).read_bytes()
    return Kept(id=1, received_at=at, first_at=NOW, content_type=kind, query=dict(parse_qsl(query)), body=body, facts=0, faults=[])


def connector(**call) -> Connector:
    return Connector.model_validate({"key": "k", "brand": "shop", "calls": [{"call": "identify", **call}]})


def made(body, **call):
    return make(connector(**call), body, {"q": "1"}, "digest")


@pytest.mark.parametrize(("name", "file", "expected"), CASES)
def test_ready_connectors_make_facts_of_what_their_sources_send(name, file, expected):
    payload = kept(file, QUERIES.get(name, ""))
    found = read(ready(name), payload, driven=False)
    assert found.faults == []
    assert [(f.type, f.event, f.identifiers) for f in found.facts] == expected
    later = read(ready(name), kept(file, QUERIES.get(name, ""), NOW + 20_000), driven=False)
    assert [f.id for f in later.facts] == [f.id for f in found.facts], "sent once more"


def test_every_ready_connector_is_shown_on_a_payload():
    assert {name for name, _, _ in CASES} == {file.stem for file in READY.glob("*.yaml")}


def test_amounts_and_instants_of_a_payload_are_those_of_the_tracking_api():
    (_, order, deal) = read(ready("retailcrm"), kept("retailcrm.form"), driven=False).facts
    assert (deal.properties["status"], deal.properties["amount"]) == ("won", {"minor": 250_050, "currency": "RUB"})
    assert order.properties["total"] == {"minor": 250_050, "currency": "RUB"}
    (_, quiz) = read(ready("marquiz"), kept("marquiz.json"), driven=False).facts
    assert quiz.occurred_at == 1_795_168_800_000 and quiz.properties["answers"][1]["a"] == ["Сейчас", "Летом"]


def test_deals_of_the_ready_connectors_say_what_became_of_them():
    (lead,) = read(ready("amocrm"), kept("amocrm-lead.form"), driven=False).facts
    said = {"deal_id": "5", "pipeline": "9", "stage": "143", "status": "lost", "amount": {"minor": 150_000, "currency": "RUB"}}
    assert {**lead.properties, **said} == lead.properties
    (_, deal) = read(ready("bitrix24"), kept("bitrix24.form", BITRIX), driven=False).facts
    assert (deal.properties["status"], deal.properties["reason_lost"]) == ("lost", "dear")
    (_, answer, _) = read(ready("google-forms"), kept("google-forms.json", "form=lesson"), driven=False).facts
    assert answer.properties == {"survey": "lesson", "question": "Как вам урок?", "answer": "Отлично"}


def test_a_company_is_named_by_a_group_call_and_by_what_is_done_for_it():
    body = {"id": "1", "company": "acme", "title": "Acme"}
    call = {"userId": "'u'", "groupId": "body.company", "traits": {"email": "'a@b.cd'"}, "properties": {"name": "body.title"}}
    ((_, told),) = made(body, **{**call, "call": "group"}).calls
    assert (told["type"], told["groupId"], told["traits"]) == ("group", "acme", {"name": "Acme"})
    assert told["context"] == {"traits": {"email": "a@b.cd"}} and "event" not in told
    ((_, did),) = made(body, **{**call, "call": "track", "event": "Bought"}).calls
    assert did["context"]["groupId"] == "acme" and did["properties"] == {"name": "Acme"}
    with pytest.raises(ValidationError, match="groupId"):
        connector(call="group")


def test_what_is_not_there_is_left_out():
    found = made(
        {"a": {"b": 1}}, traits={"x": "body.a.b", "y": "body.a.c", "z": "body.q.w.e", "l": "body.a.b.c", "i": "body.list[3]"}
    )
    assert found.faults == [] and found.calls[0][1]["traits"] == {"x": 1}


def test_each_makes_a_call_of_each_entry_and_none_of_nothing():
    found = made({"of": [{"n": 1}, {"n": 2}]}, each="body.of", traits={"n": "item.n", "q": "query.q"})
    assert [call["traits"] for _, call in found.calls] == [{"n": 1, "q": "1"}, {"n": 2, "q": "1"}]
    assert made({}, each="body.of", traits={"n": "item.n"}) == ([], [])
    assert len({call["messageId"] for _, call in found.calls}) == 2


@pytest.mark.parametrize(
    ("call", "path", "code"),
    [
        ({"each": "body.text"}, "calls.0.each", "wrong_type"),
        ({"when": "body.text"}, "calls.0.when", "wrong_type"),
        ({"traits": {"x": "body.text + 1"}}, "calls.0.traits.x", "expression_failed"),
        ({"traits": {"x": "body.many.all(a, body.many.all(b, body.many.all(c, true)))"}}, "calls.0.traits.x", "expression_failed"),
        ({"each": "body.many"}, "calls.0", "too_many_calls"),
    ],
)
def test_a_fault_names_its_expression_and_does_not_stop_the_others(call, path, code):
    two = Connector.model_validate(
        {"key": "k", "brand": "shop", "calls": [{"call": "identify", **call}, {"call": "identify", "traits": {"ok": "true"}}]}
    )
    found = make(two, {"text": "secret@example.org", "many": list(range(600))}, {}, "digest")
    assert [(fault.path, fault.code) for fault in found.faults] == [(path, code)]
    assert found.calls[-1][1]["traits"] == {"ok": True}
    assert "secret" not in str(found.faults), "a fault is told in the open"


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "body.",
        "import os",
        "__import__('os')",
        "open('/etc/passwd')",
        "body.__class__.__mro__[",
        "nobody.x",
        "x" * 3000,
        "[1,2",
        "env.HOME",
    ],
)
def test_a_mapping_that_reads_what_it_must_not_is_refused_when_it_is_written(expression):
    with pytest.raises(ValidationError):
        connector(traits={"x": expression})


def test_names_of_python_are_names_of_the_payload_and_nothing_else():
    found = made({"__class__": 1}, traits={"x": "body.__class__", "y": "body.__dict__", "z": "query.__init__"})
    assert found.calls[0][1]["traits"] == {"x": 1} and not found.faults


def test_a_payload_that_is_no_object_is_read_too():
    assert made([1, 2], traits={"n": "size(body)"}).calls[0][1]["traits"] == {"n": 2}
    assert read_payload("", b"") == {}


def test_a_fault_in_one_entry_of_a_list_leaves_the_others():
    found = made({"of": [{"n": 1}, {"n": "x"}, {"n": 3}]}, each="body.of", traits={"n": "item.n + 1"})
    assert [call["traits"]["n"] for _, call in found.calls] == [2, 4]
    assert [fault.path for fault in found.faults] == ["calls.0.traits.n"]


def test_an_id_names_the_thing_wherever_the_mapping_and_the_list_have_it():
    def ids(calls, body, digest="digest"):
        made_ = make(Connector.model_validate({"key": "k", "brand": "shop", "calls": calls}), body, {}, digest)
        return {call["messageId"] for _, call in made_.calls}

    track = {"call": "track", "event": "E", "each": "body.of", "id": "item.id"}
    both = {"of": [{"id": 7}, {"id": 8}]}
    assert ids([track], {"of": [{"id": 8}]}) < ids([track], both)
    other = {"call": "identify", "traits": {"a": "1"}}
    assert ids([track], both) < ids([other, track], both), "a call that is added before makes no other facts of the old"
    assert len(ids([track, {**track, "when": "true"}], both)) == 4, "two calls of one event are two"
    assert ids([other], {}, "one").isdisjoint(ids([other], {}, "two")), "another payload, or the same much later"


@pytest.mark.parametrize(
    ("expression", "of_the_entry"),
    [
        ("item.id", True),
        ("'x' + string(item . id)", True),
        ("item", True),
        ("body.lineitems[0].n", False),
        ("body.item_id", False),
        ("body.item", False),
        ("body . item", False),
        ("'item-' + body.item_id", False),
        ('"it is an item " + string(body.item)', False),
        ("body.lineitems.map(item, item.n)[0]", False),
    ],
)
def test_an_id_is_the_entrys_only_where_it_names_the_entry(expression, of_the_entry):
    """Else all entries of a list would have one id, and all but one be taken for repeats."""
    body = {"of": [{"id": 7}, {"id": 8}], "lineitems": [{"n": "a"}], "item_id": "b", "item": "c"}
    backwards = {**body, "of": body["of"][::-1]}
    ids = [[one["messageId"] for _, one in made(each, each="body.of", id=expression).calls] for each in (body, backwards)]
    assert len(set(ids[0])) == 2
    assert (ids[0] == ids[1][::-1]) == of_the_entry


def test_nothing_that_comes_through_costs_the_interpreter_a_reference():
    """The library (0.1.3) gives None away uncounted on Python 3.11: a payload of nulls would end the process."""
    before = sys.getrefcount(None)
    for _ in range(500):
        made(
            read_payload("application/json", b'{"n": null, "l": [null, null, 1]}'),
            traits={"x": "body", "y": "body.n", "z": "[null]", "w": "null"},
        )
    assert abs(sys.getrefcount(None) - before) < 400


def test_a_payload_is_taken_over_once_for_each_entry_and_not_for_each_expression(monkeypatch):
    """Taking over 200 KB costs a millisecond: 25,000 times would be half a minute of ingest's loop."""
    taken = []

    class Counted(hooks.Scope):
        def __init__(self, known):
            taken.append(1)
            super().__init__(known)

    monkeypatch.setattr(hooks, "Scope", Counted)
    body = {"items": [{"id": n, "text": "x" * 400} for n in range(500)], "customer": {"id": 1}}
    found = made(body, each="body.items", traits={f"t{n}": "body.customer.id" for n in range(50)})
    assert len(found.calls) == 500 and len(taken) == 501
