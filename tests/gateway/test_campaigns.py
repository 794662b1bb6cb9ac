"""Campaigns as they are written and launched, and what a check before the launch finds."""

import asyncio
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from runtime.clock import set_within
from schemas.campaigns import Campaign, Instant, Local
from schemas.messages import Intent
from schemas.rules import LinkRule
from services.gateway.api.preflight import Gathered, checked
from services.gateway.domain import preflight
from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Fault, Problem

NEWS = {"brand": "shop", "audience": {"kind": "all", "of": []}, "template": "news"}
TRIAL = {"people": 20, "forbidden": {}, "missing": {}, "faults": {}, "bytes": 1000, "links": [], "fixed": [], "unsubscribes": True}
TWO = [{"name": "a", "template": "a", "share": 50}, {"name": "b", "template": "b", "share": 50}]


def campaign(**more: object) -> Campaign:
    made = read(KINDS["campaign"], "news", {**NEWS, **more})
    assert isinstance(made, Campaign)
    return made


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"template": None}, "give one of them"),
        ({"variants": TWO}, "give one of them"),
        ({"template": None, "variants": [TWO[0]]}, "the shares must make 100"),
        ({"template": None, "variants": [TWO[0], {**TWO[1], "name": "a"}]}, "every variant needs a name of its own"),
        ({"expires": "31d"}, "at most 30d"),
        ({"start": {"at": "2027-03-01T10:00"}}, "with the offset from UTC"),
        ({"start": {"local": "2027-02-30T10:00"}}, "there is no such day"),
        ({"start": {"local": "2027-03-01T10:00"}, "throttle": {"most": 5}}, "give one of them"),
        ({"class": "service", "control": 5}, "service messages reach everybody"),
    ],
)
def test_what_cannot_be_is_refused_with_its_mend(more: dict[str, object], said: str) -> None:
    with pytest.raises(Problem) as refused:
        campaign(**more)
    assert any(said in fault.told("en")["message"] for fault in refused.value.faults), refused.value.faults


@given(st.integers(0, 2**41), st.integers(0, 2**41))
def test_a_start_lies_never_before_the_launch_and_by_local_time_early_enough_for_the_first_zone(now: int, minutes: int) -> None:
    assert campaign().starts_at(now) == now
    at = campaign(start={"at": "2027-03-01T10:00+03:00"})
    assert isinstance(at.start, Instant) and at.start.ms == 1_803_884_400_000 and at.starts_at(now) == max(now, at.start.ms)
    local = campaign(start={"local": "2027-03-01T10:00"})
    assert isinstance(local.start, Local) and local.starts_at(now) == max(now, local.start.wall_ms - 14 * 3_600_000)


def codes(faults: list[Fault]) -> list[str]:
    return [fault.code for fault in faults]


def test_every_fault_of_a_letter_is_told_at_once_and_a_whole_one_has_none() -> None:
    assert preflight.of_letter("template", campaign(), TRIAL) == ([], [])
    bad = {
        **TRIAL, "forbidden": {"consent": 3}, "missing": {"profile.name": 2}, "faults": {"render": 1}, "bytes": 110_000,
        "links": ["www.shop.example", "https://shop.example/x", "http://localhost/x"], "unsubscribes": False,
    }  # fmt: skip
    found = preflight.of_letter("template", campaign(), bad)
    assert codes(found.errors) == [
        "template_fault",
        "variable_missing",
        "too_large",
        "no_unsubscribe",
        "broken_link",
        "broken_link",
    ]
    assert codes(found.warnings) == ["forbidden"]
    for fault in (*found.errors, *found.warnings):
        assert "?" not in fault.told("en")["message"] and "?" not in fault.told("ru")["message"], "its params are said"
    assert codes(preflight.of_letter("template", campaign(**{"class": "service"}), bad).errors).count("no_unsubscribe") == 0


def test_links_are_judged_by_their_form() -> None:
    fine = ["https://shop.example/a?b=c#d", "mailto:help@shop.example", "tel:+4412345", "#top"]
    assert list(preflight.broken(fine)) == []
    assert {link for link, _ in preflight.broken(["", "shop.example", "https://", "http://intranet/x", "https://[x", "javascript:x"])} == {
        "", "shop.example", "https://", "http://intranet/x", "https://[x", "javascript:x",
    }  # fmt: skip


def test_a_rule_keeps_addresses_from_a_segment() -> None:
    rule = LinkRule(name="applicants", links=("shop.example/product",), segment="applicants")
    assert preflight.meant(["https://shop.example/product/1", "https://shop.example/jobs"], rule) == [
        "https://shop.example/product/1"
    ]


def test_whom_rules_would_hold_back_is_told_with_the_rule() -> None:
    told = [{"verdict": "sent", "rule": "", "people": 15}, {"verdict": "deferred", "rule": "cap:mass:week", "people": 5}]
    (fault,) = preflight.of_rules(told)
    assert fault.code == "displaced" and fault.params == {"verdict": "deferred", "rule": "cap:mass:week", "people": 5, "of": 20}


class Neighbours:
    """What the services would answer; `silent`: one that does not."""

    def __init__(self, silent: str = "") -> None:
        self.silent, self.asked, self.on = silent, list[str](), False

    async def tell(self, service: str, path: str, body: dict[str, object], **_params: object) -> tuple[int, object]:
        self.asked.append(path)
        if "intent" in body:
            UUID(convert(body["intent"], Intent).id)  # as its links need it
        if service == self.silent:
            raise Problem("service_unavailable", service=service)
        told: dict[str, object] = {
            "/audience/preview": {"count": 40, "sample": ["p1", "p2"]},
            "/letters/trial": {
                **TRIAL,
                "people": 2,
                "links": ["https://shop.example/product/1", "https://shop.example/product/2"],
                "fixed": ["https://shop.example/product/1"],
            },
            "/links/check": {"on": self.on, "links": {"https://shop.example/product/1": {"status": 404}} if self.on else {}},
            "/launches/supposed": {"people": [{"verdict": "deferred", "rule": "quiet_hours", "people": 2}]},
        }
        return 200, told[path]


@pytest.mark.parametrize("silent", ["", "audience", "sender", "orchestrator"])
async def test_the_check_asks_everybody_and_says_what_it_could_not_ask(silent: str) -> None:
    rule = LinkRule(name="applicants", links=("shop.example/product",), segment="applicants")
    known = Gathered(
        campaign(template=None, variants=TWO), [Fault("topic", "unknown_reference", params={"kind": "topic", "key": "x"})],
        {"a": 3, "b": 3}, [rule], "en",
    )  # fmt: skip
    neighbours = Neighbours(silent)
    found = await checked(known, neighbours)  # type: ignore[arg-type]
    errors = {one["code"] for one in found["errors"]}
    assert not found["ok"] and errors >= {"unknown_reference"} | ({"not_checked"} if silent else set())
    told = [one["path"] for one in found["errors"] if one["code"] == "link_not_for_them"]
    assert told == (["variants.0.template"] * 2 + ["variants.1.template"] * 2 if silent in ("", "orchestrator") else [])
    assert neighbours.asked.count("/audience/preview") == (2 if silent != "sender" else 1), (
        "a rule's question is the same for all links"
    )
    assert ({one["code"] for one in found["warnings"]} == {"displaced"}) == (silent != "orchestrator")


async def test_templates_that_are_on_their_way_are_waited_for_once_and_not_once_for_each_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    class Slow(Neighbours):
        """Its sender waits as long as it may, each time."""

        async def tell(self, service: str, path: str, body: dict[str, object], **_params: object) -> tuple[int, object]:
            if path == "/letters/trial":
                waits.append(convert(body["wait_s"], float))
                await set_within(asyncio.Event(), waits[-1])
            return await super().tell(service, path, body)

    monkeypatch.setattr("services.gateway.api.preflight.PATIENCE_S", 0.1)
    await checked(Gathered(campaign(template=None, variants=TWO), [], {"a": 3, "b": 3}, [], "en"), Slow())  # type: ignore[arg-type]
    assert len(waits) == 2 and waits[1] < 0.05 < waits[0]


async def test_a_page_that_is_not_there_is_told_once_and_what_was_not_asked_is_named() -> None:
    neighbours = Neighbours()
    neighbours.on = True
    known = Gathered(campaign(template=None, variants=TWO), [], {"a": 3, "b": 3}, [], "en")
    found = await checked(known, neighbours)  # type: ignore[arg-type]
    assert [(one["path"], one["code"]) for one in found["errors"]] == [("variants.0.template", "broken_link")]
    assert "HTTP 404" in found["errors"][0]["message"]
    assert [one["code"] for one in found["warnings"]] == ["link_differs", "displaced"]
    assert "product/2" in found["warnings"][0]["message"]


def test_what_pages_answer_is_a_fault_where_nobody_would_come_to_them_and_else_a_warning() -> None:
    told = {
        "https://a.example/": {"status": 200}, "https://b.example/": {"status": 410}, "https://c.example/": {"status": 403},
        "https://d.example/": {"why": "no_answer"}, "https://e.example/": {"why": "refused"}, "https://f.example/": {"why": "unresolved"},
    }  # fmt: skip
    errors, warnings = preflight.of_pages("template", told)
    assert [(fault.code, str(fault.params["link"])[8]) for fault in errors] == [("broken_link", name) for name in "bef"]
    assert [(fault.code, str(fault.params["link"])[8]) for fault in warnings] == [("link_answers", name) for name in "cd"]
    for fault in (*errors, *warnings):
        assert "?" not in fault.told("en")["message"] and "?" not in fault.told("ru")["message"]


def test_a_template_that_is_on_its_way_to_the_sender_is_told_as_such() -> None:
    found = preflight.of_letter("template", campaign(), {**TRIAL, "faults": {"not_there_yet": 20}})
    assert codes(found.errors) == ["not_there_yet"]


def test_pages_that_differ_by_person_are_not_asked() -> None:
    links = ["https://shop.example/a", "https://shop.example/u/17", "mailto:x@y.example", "shop.example"]
    assert preflight.to_ask(links, ["https://shop.example/a", "mailto:x@y.example"]) == (
        ["https://shop.example/a"], ["https://shop.example/u/17"],
    )  # fmt: skip
