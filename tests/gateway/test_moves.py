"""What the publisher says of the people of earlier versions, read against the versions; and how versions differ, in words."""

from schemas.audience_text import Titles
from services.gateway.domain.diff import diff
from services.gateway.domain.moves import moves_of
from services.gateway.domain.standing import in_use, table

EARLIER = {1: ["wait", "letter"], 2: ["wait", "text"]}


def test_each_version_has_the_moves_of_its_own_steps():
    moves, faults = moves_of({"wait": "pause", "letter": "leave", "text": "finish"}, ["pause", "text"], EARLIER)
    assert (moves, faults) == ({1: {"wait": "pause", "letter": "leave"}, 2: {"wait": "pause"}}, [])


def test_every_fault_is_told_with_its_place_and_the_mend():
    _, faults = moves_of({"nowhere": "pause", "wait": "letter"}, ["pause"], EARLIER)
    assert [(f.path, f.code) for f in faults] == [("move.nowhere", "unknown_step"), ("move.wait", "no_such_step")]
    assert faults[0].told("en")["message"] == "no earlier version has the step `nowhere`; there are `letter`, `text`, `wait`"
    assert "возьмите один из `pause`" in faults[1].told("ru")["message"]


def test_standing_is_told_in_the_order_of_the_steps_with_those_on_which_nobody_stands():
    bodies = {n: {"steps": [{"id": step} for step in steps]} for n, steps in EARLIER.items()}
    found = {"1": {"letter": 3}}
    assert table(bodies, 2, found) == [
        {"version": 2, "current": True, "people": 0, "steps": [{"step": "wait", "people": 0}, {"step": "text", "people": 0}]},
        {"version": 1, "current": False, "people": 3, "steps": [{"step": "wait", "people": 0}, {"step": "letter", "people": 3}]},
    ]
    assert in_use({"1": {"letter": 3}, "2": {"wait": 0}}) == {1}


def body(*steps, **more):
    return {"key": "j", "brand": "shop", "trigger": {"event": "E"}, "steps": list(steps), **more}


WAIT, A, B, END = {"id": "w", "wait": "1d"}, {"id": "a", "template": "a"}, {"id": "b", "template": "b"}, {"id": "end", "end": True}


def test_a_diff_says_what_was_added_removed_and_changed():
    legal = {"kind": "attribute", "name": "kind", "op": "eq", "value": "legal"}
    found = diff(body(WAIT, A), body({**WAIT, "wait": "2d"}, B, audience=legal))
    assert [step["id"] for step in found.added + found.removed] == ["b", "a"]
    assert list(found.lines("en", Titles())) == [
        '`audience`: nothing → “"kind" is "legal"”',
        "Step `a` is removed: template: a",
        "Step `b` is added: template: b",
        "Step `w`, `wait`: 1d → 2d",
    ]
    assert list(found.lines("ru", Titles()))[3] == "Шаг `w`, `wait`: 1d → 2d"


def test_a_diff_says_where_a_step_leads_that_only_the_order_has_moved():
    found = diff(body(WAIT, A, B), body(WAIT, B, A))
    assert {step: [c.field for c in changes] for step, changes in found.changed.items()} == {
        "w": ["leads_to"], "a": ["leads_to"], "b": ["leads_to"],
    }  # fmt: skip
    assert diff(body(WAIT, A), body(WAIT, A)).told("en", Titles())["same"] is True
