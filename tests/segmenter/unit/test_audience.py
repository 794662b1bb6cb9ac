"""Condition documents: every fault at once, with its path; one shape for equal meanings; limits; references."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import audience as a
from schemas.audience_reading import MAX_DEPTH, MAX_LEAVES, AudienceError, evaluation_order, parse
from services.segmenter.domain.normal import accumulator_id, fingerprint, normal

ORDERS = {"kind": "did", "event": "Order Completed", "within": 1000}


def faults(document: Any) -> dict[str, str]:
    with pytest.raises(AudienceError) as caught:
        parse(document)
    return {fault.path: fault.code for fault in caught.value.faults}


def test_a_document_reads_and_writes_back() -> None:
    document = {
        "kind": "all",
        "of": [
            {"kind": "attribute", "name": "plan", "op": "in", "value": ["pro", "team"]},
            {"kind": "attribute", "name": "ltv", "path": "minor", "op": "ge", "value": 100_000},
            {"kind": "date", "name": "tariff_end", "after": 0, "until": 604_800_000},
            {"kind": "reachable", "channel": "sms"},
            {"kind": "not", "of": {**ORDERS, "where": [{"path": "total.minor", "op": "gt", "value": 5}]}},
            {"kind": "any", "of": [{"kind": "segment", "key": "vip"}, {"kind": "bucket", "salt": "s", "end": 500}]},
            {"kind": "total", "event": "Order Completed", "sum": "total.minor", "op": "gt", "value": 5},
            {"kind": "age", "event": "Login", "which": "last", "op": "older", "age": 1000},
            {"kind": "identifier", "has": "user_id"},
        ],
    }
    condition = parse(document)
    assert parse(json.loads(json.dumps(a.dump(condition)))) == condition
    assert hash(condition) == hash(parse(document))
    assert len(list(a.leaves(condition))) == 10


def test_every_fault_is_listed_with_its_path() -> None:
    found = faults(
        {
            "kind": "all",
            "of": [
                {"kind": "attribute", "name": "plan", "op": "gt", "value": "pro"},
                {"kind": "not", "of": {**ORDERS, "within": True, "where": [{"path": "a..b", "op": "gt", "value": 1}]}},
                {"kind": "any", "of": []},
                {"kind": "nope"},
                {"kind": "bucket", "salt": "x", "start": 5, "end": 5},
                {"kind": "attribute", "name": "x", "op": "in", "value": [1, "a"]},
                {"kind": "attribute", "name": "x", "op": "eq", "value": {"a": 1}},
                {"kind": "attribute", "name": "x", "op": "exists", "value": 1},
                {"kind": "attribute", "name": "x", "op": "eq"},
                {"kind": "attribute", "name": "x", "op": "eq", "type": "date", "value": "soon"},
                {"kind": "date", "name": "x"},
                {"kind": "date", "name": "x", "after": 5, "until": 5},
                {"kind": "total", "event": "a", "sum": "b", "op": "ge", "value": 1.5},
                {"kind": "attribute", "name": "x", "op": "eq", "value": 2**53},
                {"kind": "attribute", "name": "x", "op": "eq", "value": 1, "typo": 1},
                "everybody",
            ],
        }
    )
    assert found == {
        "of.0.op": "type",
        "of.1.of.within": "int_type",
        "of.1.of.where.0.path": "string_pattern_mismatch",
        "of.2.of": "too_short",
        "of.3": "union_tag_invalid",
        "of.4.end": "order",
        "of.5.value": "type",
        "of.6.value": "literal",
        "of.7.value": "unexpected",
        "of.8.value": "length",
        "of.9.value": "date",
        "of.10.after": "missing",
        "of.11.until": "order",
        "of.12.value": "int_type",
        "of.13.value": "literal",
        "of.14.typo": "extra_forbidden",
        "of.15": "model_attributes_type",
    }


@pytest.mark.parametrize("document", [None, [], {}, "x", 5])
def test_what_is_no_condition_is_refused(document: Any) -> None:
    assert "" in faults(document)


def test_limits() -> None:
    assert faults({"kind": "any", "of": [ORDERS] * (MAX_LEAVES + 1)}) == {"": "leaves"}
    parse({"kind": "any", "of": [ORDERS] * MAX_LEAVES})
    nested: dict[str, Any] = ORDERS
    for _ in range(MAX_DEPTH - 1):
        nested = {"kind": "not", "of": nested}
    parse(nested)
    assert faults({"kind": "not", "of": nested}) == {"": "depth"}
    for _ in range(100_000):
        nested = {"kind": "all", "of": [nested]}
    assert faults(nested) == {"": "depth"}


def test_references_and_cycles() -> None:
    ask = {key: a.InSegment(key=key) for key in "abcd"}
    known = a.Identifier(has="email")
    assert a.references(a.Not(of=a.All(of=(ask["a"], ask["b"])))) == {"a", "b"}
    assert evaluation_order({"a": ask["c"], "b": known, "c": ask["b"]}) == ("b", "c", "a")
    with pytest.raises(AudienceError) as caught:
        evaluation_order({"a": ask["b"], "b": a.Not(of=ask["a"]), "c": ask["d"], "e": known, "f": a.InSegment(key="f")})
    assert [(fault.path, fault.code) for fault in caught.value.faults] == [
        ("c", "unknown_segment"),
        ("a", "cycle"),
        ("b", "cycle"),
        ("f", "cycle"),
    ]


def test_normal_form() -> None:
    x, y, z = (a.Attribute(name=name, op="exists") for name in "xyz")
    assert normal(a.Not(of=a.Not(of=x))) == x
    assert normal(a.All(of=(a.All(of=(z, y)), x, x))) == normal(a.All(of=(x, a.All(of=(y, a.All(of=(z,)))))))
    assert fingerprint(a.AnyOf(of=(x, y))) == fingerprint(a.AnyOf(of=(y, x, y)))
    assert fingerprint(a.AnyOf(of=(x, y))) != fingerprint(a.All(of=(x, y)))
    assert normal(a.All(of=())) == a.All(of=())


def test_accumulators_are_named_by_what_they_gather() -> None:
    one, other = (a.Filter(path=path, op="eq", value=1) for path in "ab")
    name = accumulator_id("Order Completed", (one, other), "")
    assert name == accumulator_id("Order Completed", (other, one, other), "")
    assert 0 <= name < 2**63
    others = {
        accumulator_id("Order Completed", (one,), ""),
        accumulator_id("Order Completed", (one, other), "total.minor"),
        accumulator_id("Order Refunded", (one, other), ""),
        accumulator_id("Order Completed", (a.Filter(path="a", op="eq", value="1"), other), ""),
    }
    assert len(others | {name}) == 5
    assert accumulator_id("Login", (), "") == 1055701219463570977, "stored under this name: it must never change"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["kind", "of", "op", "value", "event"]), x),
    )
)
def test_no_document_does_worse_than_a_refusal(document: Any) -> None:
    try:
        parse(document)
    except AudienceError as refusal:
        error = refusal
    else:
        return
    assert error.faults
