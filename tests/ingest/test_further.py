"""What a row says beside its call: words of consent, events, the history of a former mailer; and headers with twins and other spellings."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import consents
from services.ingest.domain import Columns, bind, read_mapping, suggest
from services.ingest.domain.names import SPELLINGS, folded
from tests.ingest.test_rows import NOW, facts_of, refused_of, run

WHO = {"identifiers": {"email": "mail"}}
NEWS = {
    "answer": {"column": "news"}, "topic": "news", "timestamp": "when",
    "evidence": {"page": "page", "form": {"value": "footer"}}, "terms": {"text_id": {"value": "v1"}},
}  # fmt: skip


def test_words_of_consent():
    mapping = {"call": "identify", "attributes": {"name": "name"}, "consents": [NEWS], **WHO}
    closed = run(
        "mail,name,news,when,page\n"
        "a@x.ru,A,да,2024-01-31,https://x.ru/\n"
        "b@x.ru,B,Подписан,2024-01-31,\n"
        "c@x.ru,C,отписан,,\n"
        "d@x.ru,D,,,\n"
        "e@x.ru,E,да,,\n"
        "f@x.ru,F,perhaps,2024-01-31,\n"
        "g@x.ru,G,да,yesterday,\n",
        mapping,
    )
    told = [(f.identifiers[0][6], f.event, f.properties.get("evidence"), f.occurred_at) for f in facts_of(closed) if f.event]
    january = 1_706_659_200_000
    assert told == [
        ("a", "Consent Granted", {"form": "footer", "page": "https://x.ru/"}, january),
        ("b", "Consent Granted", None, january),
        ("c", "Consent Withdrawn", None, NOW),
    ]
    granted = next(f for f in facts_of(closed) if f.event == "Consent Granted")
    assert granted.properties | {"evidence": 0} == {"channel": "email", "topic": "news", "text_id": "v1", "evidence": 0}
    assert [consents.is_proven(f) for f in facts_of(closed) if f.event == "Consent Granted"] == [True, False]
    assert granted.lane == "bulk"
    assert [f.identifiers[0] for f in facts_of(closed) if f.type == "identify"] == [
        "email:a@x.ru",
        "email:b@x.ru",
        "email:c@x.ru",
        "email:d@x.ru",
    ]
    assert [(line, reason) for line, reason in refused_of(closed)] == [
        (6, "when: a yes needs the moment at which it was given"), (7, "news is neither yes nor no"), (8, "when is no time"),
    ]  # fmt: skip
    assert [bad.column for one in closed for bad in one.refused] == ["when", "news", "when"]


def test_a_yes_without_any_moment_is_a_fault_of_the_mapping():
    faults = bind(read_mapping(json.dumps({"consents": [{}], **WHO}).encode()), ["mail"])
    assert [fault.path for fault in faults] == ["consents[0].timestamp"]
    assert run("mail\na@x.ru\n", {"consents": [{"timestamp": {"value": "2020-01-01"}}], **WHO})
    (no,) = facts_of(run("mail\na@x.ru\n", {"consents": [{"answer": "withdrawn"}], **WHO}))
    assert (no.event, no.occurred_at) == ("Consent Withdrawn", NOW)


HISTORY = {
    **WHO,
    "events": [
        {"event": "Email Sent", "timestamp": "sent", "properties": {"campaign_id": "id"}},
        {"event": "Email Opened", "timestamp": "opened", "properties": {"campaign_id": "id"}},
        {"event": "Email Bounced", "timestamp": "sent", "when": {"column": "status", "is": "one_of", "values": ["Ошибка"]}},
    ],
}


def test_a_row_of_history_is_as_many_facts_as_it_has_moments():
    closed = run(
        "mail,id,sent,opened,status\na@x.ru,7,2024-01-31,2024-02-01,ok\nb@x.ru,7,2024-01-31,,ОШИБКА\nc@x.ru,7,,,\n", HISTORY
    )
    assert [(f.identifiers[0], f.event, f.properties) for f in facts_of(closed)] == [
        ("email:a@x.ru", "Email Sent", {"campaign_id": "7"}),
        ("email:a@x.ru", "Email Opened", {"campaign_id": "7"}),
        ("email:b@x.ru", "Email Sent", {"campaign_id": "7"}),
        ("email:b@x.ru", "Email Bounced", {}),
    ]
    assert [line for line, _ in refused_of(closed)] == [4]
    assert all(f.attributes == {} and f.type == "track" for f in facts_of(closed))


def test_ids_of_further_facts_are_of_what_they_say_alone():
    text = "mail,id,sent,opened,status\na@x.ru,7,2024-01-31,2024-02-01,ok\n"
    first = facts_of(run(text, HISTORY))
    more = {**HISTORY, "call": "identify", "attributes": {"state": "status"}}
    assert [f.id for f in facts_of(run(text, more)) if f.event] == [f.id for f in first]
    assert [f.id for f in facts_of(run(text, {**HISTORY, "delimiter": ","}))] == [f.id for f in first]
    other = facts_of(run(text.replace("2024-02-01", "2024-02-02"), HISTORY))
    assert [a.id == b.id for a, b in zip(first, other, strict=True)] == [True, False]
    named = [{**one, "message_id": "{id}-{mail}-x"} for one in HISTORY["events"][:1]]
    assert facts_of(run(text, {**HISTORY, "events": named}))[0].id != first[0].id


def test_what_shares_a_template_is_told_apart_by_what_happened():
    by_id = [{**one, "message_id": "{id}"} for one in HISTORY["events"]]
    text = "mail,id,sent,opened,status\na@x.ru,7,2024-01-31,2024-02-01,Ошибка\n"
    told = facts_of(run(text, {**HISTORY, "events": by_id, "call": "track", "event": "Email Seen", "message_id": "{id}"}))
    assert [f.event for f in told] == ["Email Seen", "Email Sent", "Email Opened", "Email Bounced"]
    assert len({f.id for f in told}) == 4
    assert [f.id for f in told[1:]] == [f.id for f in facts_of(run(text, {**HISTORY, "events": by_id}))]


def test_two_facts_of_one_id_cost_their_row_and_one_said_twice_does_not():
    words = [{"answer": "withdrawn", "channel": channel, "message_id": "{mail}"} for channel in ("email", "sms")]
    assert refused_of(run("mail\na@x.ru\n", {**WHO, "consents": words}))[0][1].startswith("two of its events or consents have")
    same = facts_of(run("mail\na@x.ru\n", {**WHO, "consents": [words[0], words[0]]}))
    assert len({f.id for f in same}) == 1


@pytest.mark.parametrize(
    ("event", "properties", "says"),
    [
        ("Charge", {"product": {"value": "vm"}, "amount": {"column": "sum", "as": "number"}}, "properties.amount"),
        ("Charge", {"amount": {"value": 5}}, "properties.product"),
        ("Deal Updated", {"deal_id": {"value": "d"}, "status": {"value": "open to all"}}, "properties.status"),
        ("Deal Updated", {"status": {"value": "open"}}, "properties.deal_id"),
        ("Account Left", {}, "properties.group_id"),
    ],
)
def test_what_no_call_may_say_no_further_event_may(event, properties, says):
    text, money = "mail,sum\na@x.ru,1.005\n", {**WHO, "currency": "RUB"}
    further = refused_of(run(text, {**money, "events": [{"event": event, "properties": properties}]}))
    assert further == refused_of(run(text, {**money, "call": "track", "event": event, "properties": properties}))
    assert [reason.startswith(says) for _, reason in further] == [True]


def test_a_charge_of_a_row_is_exact_money():
    charge = {"event": "Charge", "properties": {"product": {"value": "vm"}, "amount": {"column": "sum", "as": "number"}}}
    (fact,) = facts_of(run("mail,sum\na@x.ru,1.05\n", {**WHO, "currency": "RUB", "events": [charge]}))
    assert fact.properties["amount"] == {"minor": 105, "currency": "RUB"}


def test_a_name_that_no_event_may_have_is_a_fault_of_the_mapping():
    faults = bind(read_mapping(json.dumps({"events": [{"event": "x" * 201}, {"event": "x" * 200}], **WHO}).encode()), ["mail"])
    assert [fault.path for fault in faults] == ["events[0].event"]


cell = st.sampled_from(["", "a@x.ru", "yes", "no", "2024-01-31", "x", "1", '"', "\x00"])


@given(st.lists(st.lists(cell, min_size=4, max_size=6), max_size=10))
def test_a_row_is_all_of_its_facts_or_none(lines):
    mapping = {"call": "identify", "consents": [NEWS], **WHO}
    closed = run("mail,name,news,when,page\n" + "\n".join(",".join(line) for line in lines), mapping)
    for one in closed:
        assert bool(one.made) != bool(one.refused)


# ---- headers


def test_twins_are_told_apart_and_never_taken_one_for_the_other():
    assert Columns(["Tel", "Name", "Tel", "", "Tel (1)"]).names == ("Tel (1)'", "Name", "Tel (2)", "column 4", "Tel (1)")
    text = "mail,tel,tel\na@x.ru,1,2\n"
    faults = bind(
        read_mapping(json.dumps({"call": "identify", "attributes": {"tel": "tel"}, **WHO}).encode()), ["mail", "tel", "tel"]
    )
    assert len(faults) == 1 and "'tel (1)' (column 2) and 'tel (2)' (column 3)" in faults[0].message
    (fact,) = facts_of(run(text, {"call": "identify", "attributes": {"home": "tel (1)", "work": "tel (2)"}, **WHO}))
    assert (fact.attributes["home"], fact.attributes["work"]) == ("1", "2")


@given(st.lists(st.sampled_from(["a", "b", "", "a (1)", "a (2)", "column 1", "a (1)'"]), max_size=8))
def test_no_two_columns_have_one_name(header):
    names = Columns(header).names
    assert len(set(names)) == len(header)
    for plain, name in zip(header, names, strict=True):
        assert header.count(plain) > 1 or not plain or name == plain


def test_a_neutral_name_stands_for_the_spellings_of_the_field():
    mapping = {"call": "identify", "identifiers": {"email": "email"}, "attributes": {"city": "city"}, "if_missing": "leave_out"}
    (fact,) = facts_of(run("Эл. почта,Город\na@x.ru,Тверь\n", mapping))
    assert (fact.identifiers, fact.attributes["city"]) == (("email:a@x.ru",), "Тверь")
    (fact,) = facts_of(run("E-Mail\na@x.ru\n", mapping))
    assert "city" not in fact.attributes
    faults = bind(read_mapping(json.dumps(mapping).encode()), ["E-mail", "Почта"])
    assert "E-mail" in faults[0].message and "Почта" in faults[0].message
    assert bind(read_mapping(json.dumps(mapping).encode()), ["x"])[0].path == "identifiers"
    strict = {**mapping, "if_missing": "refuse"}
    assert [fault.path for fault in bind(read_mapping(json.dumps(strict).encode()), ["E-mail"])] == ["attributes.city"]


def test_each_spelling_means_one_name():
    every = [folded(spelling) for name, spellings in SPELLINGS.items() for spelling in (name, *spellings)]
    assert len(every) == len(set(every))
    assert every == [spelling for name, spellings in SPELLINGS.items() for spelling in (name, *spellings)]


@pytest.mark.parametrize(
    ("header", "ready", "says"),
    [
        (["E-mail", "Имя", "Дата рождения", "Любимый цвет"], "contacts", ["identify"]),
        (["Email", "Телефон", "Подписан", "Дата подписки", "Тема подписки"], "subscriptions", ["identify", "Consent Granted"]),
        (["email", "Дата отписки"], "unsubscribes", ["Consent Withdrawn"]),
        (["Email", "Название рассылки", "Дата отправки", "Дата открытия"], "history", ["Email Sent", "Email Opened"]),
        (["email", "Рассылка", "Статус письма", "Дата события"], "history", ["Email Opened"]),
        (["Customer ID", "Номер заказа", "Дата заказа", "Артикул", "Количество", "Цена"], "orders", ["Order Completed"]),
    ],
)
def test_a_suggestion_fits_its_header(header, ready, says):
    kind, mapping = suggest(header)
    assert kind == ready
    cells = {
        "Подписан": "да",
        "Статус письма": "прочитано",
        "Количество": "2",
        "Цена": "10",
        "Customer ID": "17",
        "Номер заказа": "1",
    }
    row = [
        cells.get(name, "2024-01-31" if "Дата" in name else "ann@x.ru" if "mail" in name.lower() else "+79161234567")
        for name in header
    ]
    document = {**msgspec.to_builtins(mapping), "currency": "RUB"}
    closed = run(",".join(header) + "\n" + ",".join(row) + "\n", document)
    assert [f.event or f.type for f in facts_of(closed)] == says, refused_of(closed)
