"""Local control groups: no marketing of one journey, told once and counted, and the same people whatever merges (R4)."""

from typing import Any

from schemas.ids import bucket
from tests.orchestrator.world import DAY, World, journey, rule, send, wait

SHARE = {"share": 3000, "salt": "worth"}
INSIDE = next(f"p{n}" for n in range(1000) if bucket("worth", f"p{n}") < 3000)
OUTSIDE = next(f"p{n}" for n in range(1000) if bucket("worth", f"p{n}") >= 3000)


def chain(key: str = "j", on: str = "Registered", **more: Any) -> dict[str, Any]:
    steps = (send("a"), send("b", **{"class": "service"}), wait("w", "1d"), send("c", **{"class": "mass"}))
    return journey(key, *steps, on=on, control=SHARE, reentry={"mode": "always"}, **more)


def arms(world: World) -> list[tuple[str, str, bool]]:
    return [(d.profile, d.rule, d.detail["control"]) for d in world.decisions if d.verdict == "exposed"]


def test_the_group_gets_service_messages_alone_is_told_once_a_run_and_what_it_would_have_got() -> None:
    world = World(chain(), prompt=True)
    for who in (INSIDE, OUTSIDE):
        world.person(who)
        world.fact(who, "Registered")
    world.later(2 * DAY)
    assert [i.template for i in world.intents if i.profile == INSIDE] == ["b"]
    assert [i.template for i in world.intents if i.profile == OUTSIDE] == ["a", "b", "c"]
    assert world.told("would_have_sent") == [("would_have_sent", step, "local_control") for step in "ac"]
    assert arms(world) == [(INSIDE, "arm:control", True), (OUTSIDE, "arm:treatment", False)]
    world.fact(INSIDE, "Registered")
    assert len(arms(world)) == 3, "another run, another exposure"


def test_who_is_kept_out_by_more_than_the_journey_is_not_exposed_to_its_group() -> None:
    world = World(chain(), rule(global_control={"share": 5000, "salt": "season"}), prompt=True)
    kept = next(f"p{n}" for n in range(1000) if bucket("season", f"p{n}") < 5000)
    world.person(kept)
    world.person(OUTSIDE, kinds="phone")
    world.person("nobody", contact=False)
    for who in (kept, OUTSIDE, "nobody"):
        world.fact(who, "Registered")
    world.later(2 * DAY)
    assert arms(world) == []


def test_of_a_message_that_is_worth_nothing_any_more_nobody_is_told_his_arm() -> None:
    world = World(chain(), rule(manager_only={"kind": "segment", "key": "managers"}))
    world.person(OUTSIDE)
    world.fact(OUTSIDE, "Registered", place=("facts", 0, 5))
    world.later(9 * DAY)
    world.mark(6)
    assert world.told("skipped") == [("skipped", "a", "expired")] and arms(world) == []


def test_another_journey_s_group_is_another_s() -> None:
    other = journey("other", send("o"), on="Registered")
    world = World(chain(), other)
    world.person(INSIDE)
    world.fact(INSIDE, "Registered")
    assert [i.template for i in world.intents] == ["b", "o"]


def test_of_a_merge_the_older_pair_decides_and_a_run_keeps_its_arm() -> None:
    world = World(chain(), prompt=True)
    world.person(INSIDE, at=1)
    world.person(OUTSIDE, at=2)
    world.fact(OUTSIDE, "Registered")
    world.merge(OUTSIDE, INSIDE)
    world.later(2 * DAY)
    assert [i.template for i in world.intents] == ["a", "b", "c"], "begun as one who gets them"
    world.fact(OUTSIDE, "Registered")
    world.later(2 * DAY)
    assert [i.template for i in world.intents][3:] == ["b"]
    assert [rule for _, rule, _ in arms(world)] == ["arm:treatment", "arm:control"]


def test_of_two_runs_that_become_one_the_arm_that_was_told_of_either_stays() -> None:
    world = World({**chain(), "reentry": {"mode": "never"}}, prompt=True)
    world.person(INSIDE, kinds="phone", at=1)
    world.person(OUTSIDE, at=2)
    world.fact(INSIDE, "Registered")
    world.now += 1
    world.fact(OUTSIDE, "Registered")
    world.merge(INSIDE, OUTSIDE)
    world.later(2 * DAY)
    assert arms(world) == [(OUTSIDE, "arm:treatment", False)] and world.intents[-1].template == "c"


def test_a_message_that_is_put_off_is_exposed_once() -> None:
    world = World(chain(), rule(quiet_hours={"from": "00:00", "to": "09:00"}))
    world.person(OUTSIDE)
    world.fact(OUTSIDE, "Registered")
    world.later(DAY)
    assert len(arms(world)) == 1
