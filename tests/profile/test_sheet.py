"""What profile tells of many people at once is what it knows of each, as columns and as lines."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.exports import AGREED, LINE, NAMED
from services.profile.domain import Profile
from services.profile.domain.cells import kinds
from services.profile.domain.sheet import Person, Word, columns, lines

NAMES = ("a", "b", "c.d")
leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(leaves, lambda one: st.lists(one, max_size=2) | st.dictionaries(st.sampled_from("xyz"), one, max_size=2))
somebody = st.dictionaries(st.sampled_from(NAMES), values)
WORD = Word("shop", "email", "*", "proven", "granted", 5)


def person(said: dict, number: int = 0, *identifiers: str, brands=("shop",), words=()) -> Person:
    kept = Profile(number, {name: (1, value) for name, value in said.items()}, names={})
    return Person(str(number), msgspec.msgpack.encode(kept), identifiers, brands, words)


def flat(name: str, value) -> dict:
    """The cells of an attribute, told plainly."""
    if isinstance(value, dict) and value:
        return {cell: held for inner, one in value.items() for cell, held in flat(f"{name}.{inner}", one).items()}
    if value is None:
        return {}
    return {name: value if isinstance(value, str | bool | int | float) else msgspec.json.encode(value).decode()}


@given(st.lists(somebody, min_size=1, max_size=4))
def test_every_value_is_in_the_cell_of_its_kind(people):
    cells = [{k: v for name, value in one.items() for k, v in flat(name, value).items()} for one in people]
    known = kinds({name: (1, value) for name, value in one.items()} for one in people)
    for kind in ("string", "int", "float", "bool"):
        asked = {name: kind for name, _ in known} | {"unheard": kind}
        batch = columns([person(one, n) for n, one in enumerate(people)], asked, loose=False).to_pylist()
        for row, held in zip(batch, cells, strict=True):
            assert row["attributes.unheard"] is None
            for name in {name for name, _ in known}:
                told, value = row[f"attributes.{name}"], held.get(name)
                if kind == "string":
                    assert isinstance(told, str | None) and (
                        told == value if type(value) in (str, type(None)) else json.loads(told) == value
                    )
                elif kind == "float":
                    assert told == (float(value) if type(value) in (int, float) else None)
                elif kind == "int":
                    assert told == (value if type(value) is int and value < 2**63 else None)
                else:
                    assert told is (value if type(value) is bool else None)


def test_where_it_is_loose_a_value_of_another_kind_is_told_as_text():
    people = [person({"a": 1}, 0), person({"a": "x"}, 1), person({"a": True}, 2), person({}, 3)]
    assert columns(people, {"a": "int"}, loose=True)["attributes.a"].to_pylist() == ["1", "x", "true", None]
    assert columns(people, {"a": "int"}, loose=False)["attributes.a"].to_pylist() == [1, None, None, None]
    assert columns(people[:1], {"a": "int"}, loose=True)["attributes.a"].to_pylist() == [1], "numbers stay numbers"


def test_identifiers_brands_and_words_have_columns():
    ann = person(
        {"email": "of the attributes"},
        7,
        "email:a@x.example",
        "id.crm:7",
        "phone:+1",
        "phone:+2",
        brands=("club", "shop"),
        words=(WORD,),
    )
    batch = columns([ann, person({}, 8, brands=())], {"email": "string"}, loose=False)
    assert batch.schema.names == ["profile", *(c.name for c in (*NAMED, *AGREED)), "attributes.email"]
    one, other = batch.to_pylist()
    assert (one["email"], one["phone"], one["other_ids"], one["brands"], one["first_received_at"]) == (
        "a@x.example", "+1;+2", "id.crm:7", "club;shop", 7,
    )  # fmt: skip
    assert one["attributes.email"] == "of the attributes"
    assert json.loads(one["consents"]) == [msgspec.to_builtins(WORD)]
    assert {name: value for name, value in other.items() if value} == {"profile": "8", "first_received_at": 8}


@given(somebody)
def test_a_line_is_the_person_without_its_end(said):
    (row,) = lines([person(said, 3, "email:a@x.example", words=(WORD,))], hidden=("b",)).to_pylist()
    told = msgspec.json.decode(row[LINE] + "}")
    shown = {name: value for name, value in said.items() if value is not None and name != "b"}
    assert told == {
        "id": "3", "identifiers": ["email:a@x.example"], "attributes": shown, "first_received_at": 3, "brands": ["shop"],
        "consents": [msgspec.to_builtins(WORD)],
    }  # fmt: skip
    assert list(told["attributes"]) == sorted(shown)
