"""Journeys with parameters: what is refused, where it is said, and that filling holes gives what would have been written without them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.journeys import Journey
from schemas.parameters import Instance, Pattern
from services.gateway.domain.kinds import KINDS, kept, read, text_of
from services.gateway.domain.patterns import made_of, placed
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.references import references

JOURNEY = KINDS["journey"]
VIP = {"kind": "attribute", "name": "vip", "op": "eq", "value": True}
WARM: dict[str, Any] = {
    "key": "warm",
    "brand": "school",
    "parameters": [
        {"name": "course", "type": "text", "text": "Which course"},
        {"name": "letter", "type": "text"},
        {"name": "pause", "type": "duration", "default": "2d"},
        {"name": "at", "type": "time", "default": "10:00"},
        {"name": "plans", "type": "list", "default": ["free"]},
    ],
    "trigger": {"event": "Course Viewed", "where": [{"path": "course", "op": "eq", "value": {"param": "course"}}]},
    "audience": {"kind": "attribute", "name": "plan", "op": "in", "value": {"param": "plans"}},
    "reentry": {"mode": "per", "per": "properties.course"},
    "steps": [
        {"id": "pause", "wait": {"param": "pause"}},
        {"id": "hour", "wait": {"at": {"param": "at"}}},
        {"id": "letter", "template": {"param": "letter"}},
        {"id": "note", "set": {"last_course": {"param": "course"}}},
    ],
}  # fmt: skip


def faults_of(body: dict[str, Any]) -> set[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        read(JOURNEY, body["key"], body)
    return {(one.path, one.code) for one in caught.value.faults}


def instance(**values: Any) -> Instance:
    found = read(JOURNEY, "python", {"brand": "school", "of": "warm", "with": values})
    assert isinstance(found, Instance)
    return found


def pattern(**more: Any) -> Pattern:
    found = read(JOURNEY, "warm", {**WARM, **more})
    assert isinstance(found, Pattern)
    return found


def test_it_is_written_back_as_it_was_and_read_again_as_it_is_kept():
    assert text_of(pattern()) == WARM
    assert kept("journey", text_of(pattern())) == pattern()
    assert text_of(instance(course="python")) == {"key": "python", "brand": "school", "of": "warm", "with": {"course": "python"}}
    assert [tuple(one)[:3] for one in references(instance())] == [("brand", "brand", "school"), ("of", "journey", "warm")]


def test_what_is_made_of_it_has_the_values_in_their_places_and_for_templates():
    made = Journey.model_validate(made_of(instance(course="python", letter="py", pause="6h"), pattern()))
    assert made.trigger.where[0].value == "python" and made.audience.value == ("free",)
    assert (made.steps[0].wait, made.steps[1].wait.at, made.steps[2].template, made.steps[3].set) == (
        "6h", "10:00", "py", {"last_course": "python"},
    )  # fmt: skip
    assert (made.key, made.of, made.values) == ("python", "warm", {"course": "python", "letter": "py", "pause": "6h"})
    assert made.param == {"course": "python", "letter": "py", "pause": "6h", "at": "10:00", "plans": ("free",)}


def test_only_what_has_no_default_is_left_to_those_who_are_made_of_it():
    fixed = pattern(steps=[*WARM["steps"], {"id": "more", "template": "fixed", "topic": "news"}])
    assert {(one.kind, one.key) for one in references(fixed)} == {("brand", "school"), ("template", "fixed"), ("topic", "news")}
    asks = {"id": "in", "if": {"kind": "segment", "key": {"param": "course"}}, "then": "pause"}
    assert all(one.kind != "segment" for one in references(pattern(steps=[asks, *WARM["steps"]])))


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"parameters": []}, {("parameters", "too_short")}),
        ({"parameters": [*WARM["parameters"], {"name": "at", "type": "text"}]}, {("parameters", "value")}),
        ({"parameters": [*WARM["parameters"], {"name": "x", "type": "duration", "default": "soon"}]}, {("parameters.5.default", "value")}),
        ({"parameters": [*WARM["parameters"], {"name": "x", "type": "colour"}]}, {("parameters.5.type", "literal_error")}),
        ({"steps": [{"id": "a", "wait": {"param": "paus"}}]}, {("steps.0.wait.param", "unknown_parameter")}),
        ({"steps": [{"id": "a", "template": "t", "channel": {"param": "course"}}]}, {("steps.0.channel", "literal_error")}),
        ({"steps": [{"id": "a", "wait": {"param": "course"}}]}, {("steps.0.wait", "value")}),
        ({"stepz": []}, {("stepz", "extra_forbidden")}),
        ({"steps": [{"id": "a", "template": {"param": "letter"}, "next": "b"}, {"id": "x", "end": True}, {"id": "b", "end": True}]}, {("steps.1", "unreachable")}),
        ({"audience": {**VIP, "value": {"param": "plans"}}}, {("audience.value", "shape")}),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_said_where_it_stands(change: dict[str, Any], faults: set[tuple[str, str]]):
    found = faults_of({**WARM, **change})
    assert {(path.removesuffix(".param"), code) for path, code in found} == {
        (path.removesuffix(".param"), code) for path, code in faults
    }


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({"letter": "py"}, {("with.course", "missing", "journeys.warm.parameters.0")}),
        ({"course": "x", "letter": "py", "curse": 1}, {("with.curse", "unknown_parameter", "")}),
        ({"course": 7, "letter": ""}, {("with.course", "parameter_type", "journeys.warm.parameters.0"), ("with.letter", "parameter_type", "journeys.warm.parameters.1")}),
        ({"course": "x", "letter": "py", "pause": "soon", "at": "25:00", "plans": []}, {(f"with.{name}", "parameter_type", f"journeys.warm.parameters.{place}") for place, name in ((2, "pause"), (3, "at"), (4, "plans"))}),
    ],
)  # fmt: skip
def test_each_value_that_does_not_fit_is_named_with_its_parameter(values: dict[str, Any], faults: set[tuple[str, str, str]]):
    with pytest.raises(Problem) as caught:
        made_of(instance(**values), pattern())
    assert {(one.path, one.code, one.place) for one in caught.value.faults} == faults


def test_a_fault_of_the_whole_is_told_at_the_value_and_else_at_what_it_is_made_of():
    asked = Fault("audience", "unknown_reference", params={"kind": "segment", "key": "free"})
    faults = [
        Fault("steps.2.template", "unknown_reference"),
        Fault("steps.3", "unreachable"),
        Fault("trigger.where.0.value", "type"),
        asked,
    ]
    found = placed(faults, instance(course="x", plans="free"), pattern())
    assert [(one.path, one.place) for one in found] == [
        ("with.letter", "journeys.warm.steps.2.template"), ("of", "journeys.warm.steps.3"),
        ("with.course", "journeys.warm.trigger.where.0.value"), ("with.plans", "journeys.warm.audience"),
    ]  # fmt: skip
    assert found[0].told("ru")["in"] == "journeys.warm.steps.2.template"
    assert "in" not in Fault("x", "missing").told("en")


@pytest.mark.parametrize(
    "body",
    [
        {"brand": "school", "of": "warm", "with": {}, "steps": []},
        {"brand": "school", "of": "warm", "parameters": WARM["parameters"]},
        {"brand": "school", "of": ""},
    ],
)
def test_a_journey_of_another_says_nothing_else(body: dict[str, Any]):
    assert faults_of({"key": "python", **body})


def test_values_without_what_they_are_for_are_refused():
    plain = {"key": "j", "brand": "school", "trigger": {"event": "E"}, "steps": [{"id": "e", "end": True}]}
    for more in ({"with": {"x": 1}}, {"param": {"x": 1}}):
        assert faults_of({**plain, **more}) == {(next(iter(more)), "value")}


WHOLE: dict[str, Any] = {
    "key": "whole", "brand": "school", "trigger": {"event": "E", "where": [{"path": "p", "op": "in", "value": ["a", "b"]}]},
    "audience": {"kind": "all", "of": [VIP, {"kind": "did", "event": "Bought", "value": 3}]},
    "steps": [
        {"id": "w", "wait": "2d"}, {"id": "s", "template": "t", "expires": "1d"},
        {"id": "u", "until": {"fact": {"event": "Paid"}}, "at_most": "3d", "then": "v", "else": "v"},
        {"id": "v", "set": {"a": 1, "b": "text", "c": None, "d": {"data": "event.x"}}},
    ],
}  # fmt: skip


def scalars(node: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(node, dict):
        return [one for name, value in node.items() if name not in ("key", "brand") for one in scalars(value, (*place, name))]
    if isinstance(node, list):
        return (
            [place, *(one for number, value in enumerate(node) for one in scalars(value, (*place, number)))]
            if all(isinstance(one, str) for one in node)
            else [one for number, value in enumerate(node) for one in scalars(value, (*place, number))]
        )
    return [place] if node is not None else []


def punched(node: Any, place: tuple[Any, ...], hole: Any) -> Any:
    if not place:
        return hole
    copy: Any = list(node) if isinstance(node, list) else dict(node)
    copy[place[0]] = punched(node[place[0]], place[1:], hole)
    return copy


def at(node: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        node = node[step]
    return node


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(scalars(WHOLE)), min_size=1, max_size=8, unique=True))
def test_a_hole_anywhere_with_what_stood_there_for_its_value_is_the_same_journey(places: list[tuple[Any, ...]]):
    free = [one for one in places if not any(other != one and one[: len(other)] == other for other in places)]
    values = {f"p{number}": at(WHOLE, place) for number, place in enumerate(free)}
    body = WHOLE
    for name, place in zip(values, free, strict=True):
        body = punched(body, place, {"param": name})
    kinds = {bool: "boolean", int: "number", str: "text", list: "list"}
    found = read(
        JOURNEY,
        "whole",
        {**body, "parameters": [{"name": name, "type": kinds[type(one)], "default": one} for name, one in values.items()]},
    )
    assert isinstance(found, Pattern)
    made = made_of(Instance(key="whole", brand="school", of="x", values={}), found)
    assert {name: value for name, value in made.items() if name not in ("of", "with", "param")} == WHOLE
    assert Journey.model_validate(made).steps == Journey.model_validate(WHOLE).steps
