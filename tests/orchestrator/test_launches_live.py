"""The walk of an audience on a real database: everybody gets exactly one verdict, whatever comes between and whoever is killed."""

from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.definitions import Published
from schemas.messages import Intent
from services.orchestrator import forgetting
from tests.orchestrator.mailing import campaign, launch
from tests.orchestrator.stage import PARTITIONS, Stage
from tests.orchestrator.world import DAY, HOUR, rule

EVENING = rule(quiet_hours={"from": "23:00", "to": "02:00"})


@pytest.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    stage = await Stage(database).open()
    yield stage
    await stage.db.close()


def names(count: int) -> list[str]:
    return [f"p{n}" for n in range(count)]


async def test_nobody_is_decided_about_before_the_segmenter_has_answered_for_his_partition(stage: Stage) -> None:
    await stage.begin(campaign(), launch())
    people = await stage.audience(*names(12), answered=False)
    await stage.rest()
    assert stage.decisions == []
    await stage.answered(1)
    await stage.rest()
    assert {row["partition"] for row in await stage.rows()} == {1} and len(stage.intents) == len(stage.decisions) > 0
    await stage.answered(0, 2)
    await stage.rest()
    assert Counter(i.profile for i in stage.intents) == Counter(people)


async def test_a_process_that_owns_nothing_knows_when_nothing_is_left(stage: Stage) -> None:
    await stage.begin(campaign(), launch())
    people = await stage.audience(*names(4))
    while await stage.fire(0):
        pass
    async with stage.db.connection() as connection:
        assert len(stage.intents) == len(people) and not await stage.handlers[1].due(connection, range(PARTITIONS), stage.now)


async def test_two_who_take_a_partition_for_their_own_decide_about_nobody_twice(stage: Stage) -> None:
    await stage.begin(campaign(channel="sms"), launch())
    people = await stage.audience(*names(20))
    for _ in range(12):
        await stage.both(limit=3)
    assert Counter((d.profile, d.verdict, d.rule) for d in stage.decisions) == Counter(
        (who, "skipped", "no_address") for who in people
    )


async def test_a_pilot_goes_to_so_many_by_chance_and_the_rollout_to_the_others(stage: Stage) -> None:
    await stage.begin(campaign(), launch(stage="pilot", size=5))
    people = await stage.audience(*names(20))
    await stage.rest()
    pilot = [i.profile for i in stage.intents]
    assert len(set(pilot)) == 5
    await stage.publish(launch(2, stage="all", size=5))
    await stage.rest()
    assert Counter(i.profile for i in stage.intents) == Counter(people)
    await stage.begin(campaign(), launch(stage="pilot", size=5, number=2))
    assert await stage.audience(*names(20)) == people
    await stage.rest()
    assert {i.profile for i in stage.intents} != set(pilot), "another launch draws others"


async def test_no_more_are_decided_than_the_sender_takes(stage: Stage) -> None:
    stage.ahead = PARTITIONS * 2
    await stage.begin(campaign(), launch())
    await stage.audience(*names(30))
    await stage.rest()
    first = list(stage.intents)
    assert 0 < len(first) <= 4 * PARTITIONS, "a chunk of two more than may wait"
    for intent in first:
        await stage.verdict(intent, "accepted")
    await stage.rest()
    assert len(stage.intents) > len(first)
    stage.ahead = 1000


async def test_a_throttled_launch_takes_its_time(stage: Stage) -> None:
    await stage.begin(campaign(throttle={"most": 6, "per": "hour"}), launch())
    await stage.audience(*names(18))
    went = []
    for _ in range(5):
        await stage.rest()
        went.append(len(stage.intents))
        stage.now += HOUR
    # Each partition has two places an hour; the people are not spread evenly over the partitions.
    assert went[0] == 1 and all(later - earlier <= 6 for earlier, later in pairwise(went))
    stage.now += 10 * HOUR
    await stage.rest()
    assert len(stage.intents) == 18


async def test_a_stop_does_not_wait_for_the_throttle(stage: Stage) -> None:
    await stage.begin(campaign(throttle={"most": 1, "per": "hour"}), launch())
    people = await stage.audience(*names(9))
    await stage.rest()
    await stage.publish(launch(2, state="stopped"))
    await stage.rest()
    assert Counter(row["rule"] for row in await stage.rows()) == Counter(stopped=len(people) - 1) + Counter({"": 1})


async def test_who_is_merged_behind_the_walk_has_his_turn_whatever_the_other_was_told(stage: Stage) -> None:
    await stage.begin(campaign(), launch(stage="pilot", size=2))
    people = await stage.audience(*names(9))
    await stage.rest()
    winner, loser = [row["id"] for row in await stage.rows() if not row["verdict"]][:2]
    async with stage.db.transaction() as connection:  # as if the launch had been heard of after the merge
        await connection.execute("UPDATE person SET merged_into = $2 WHERE id = $1", loser, winner)
        await connection.execute("UPDATE recipient SET verdict = 'skipped', rule = 'no_address', due = false WHERE id = $1", winner)
    await stage.publish(launch(2, stage="all", size=2))
    await stage.rest()
    assert {i.profile for i in stage.intents} == set(people) - {loser}
    assert {(row["verdict"], row["due"]) for row in await stage.rows()} == {("sent", False)}


async def test_what_is_heard_of_an_earlier_attempt_in_the_same_batch_changes_nothing(stage: Stage) -> None:
    await stage.begin(campaign(), launch())
    await stage.audience("ann")
    await stage.rest()
    (intent,) = stage.intents
    told = [stage.told(intent, "failed", "", 1), stage.told(intent, "skipped", "no_consent", 0)]
    await stage.batch(*told)
    assert [row["verdict"] for row in await stage.rows()] == ["failed"]


async def test_of_a_launch_that_is_forgotten_the_report_is_left_and_it_is_never_walked_again(stage: Stage, monkeypatch) -> None:
    monkeypatch.setattr(forgetting, "CHUNK", 3)

    async def report() -> dict:
        async with stage.db.transaction() as connection:
            return await forgetting.report(connection, launch().key)

    await stage.begin(campaign(), launch(stage="pilot", size=4), launch(key="other"))
    await stage.audience(*names(9))
    await stage.rest()
    stood, other = await report(), len(await stage.rows())
    assert stood["audience"] == 9 and stood["pilot"]["audience"] == 4
    await stage.publish(Published(kind="launch", key=launch().key, version=2, pointer=True, deleted=True))
    await stage.both()
    assert 0 < len(await stage.rows()) < other and await report() == {**stood, "walk": {**stood["walk"], "going": False}}
    await stage.rest()
    async with stage.db.connection() as connection:
        for table in ("recipient", "launch_partition", "pilot"):
            assert not await connection.fetchval(f"SELECT count(*) FROM {table} WHERE launch = $1", launch().key)
    sent = len(stage.intents)
    await stage.publish(launch(3))
    await stage.rest()
    assert len(stage.intents) == sent and (await report())["audience"] == 9


async def test_who_comes_to_a_live_audience_after_the_pilot_gets_it_with_the_rollout(stage: Stage) -> None:
    for mode, expected in (("live", 4), ("start", 3)):
        await stage.begin(campaign(audience_at=mode), launch(stage="pilot", size=1))
        late = (await stage.audience(*names(3), "late", apart=1))[-1]
        await stage.rest()
        await stage.stands(late)
        await stage.publish(launch(2, stage="all", size=1, round=2 if mode == "live" else 1))
        await stage.rest()
        assert len(stage.intents) == expected


async def test_who_is_erased_is_nobodys_recipient(stage: Stage) -> None:
    await stage.begin(campaign(), launch(stage="pilot", size=1))
    people = await stage.audience(*names(3))
    await stage.rest()
    await stage.erase(people[0])
    await stage.publish(launch(2, stage="all", size=1))
    await stage.rest()
    assert [row["id"] for row in await stage.rows()] == sorted(people[1:])


KINDS = (
    "walk",
    "walk",
    "walk",
    "killed",
    "both",
    "merge",
    "accepted",
    "late",
    "held",
    "pause",
    "resume",
    "rollout",
    "later",
    "leave",
)
moves = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 7), st.integers(0, 7)), max_size=30)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=moves, pilot=st.booleans(), stop=st.booleans(), quiet=st.booleans())
async def test_everybody_of_the_audience_gets_exactly_one_verdict(
    stage: Stage, moves: list[tuple[str, int, int]], pilot: bool, stop: bool, quiet: bool
) -> None:
    play = Play(stage, pilot=pilot)
    await play.begin(*([EVENING] if quiet else []))
    for kind, one, other in moves:
        await play.move(kind, one, other)
    await play.finish(stop=stop)


class Play:
    """Eight people, of whom six belong to the audience, through a launch."""

    def __init__(self, stage: Stage, *, pilot: bool) -> None:
        self.stage, self.pilot = stage, pilot
        self.told = {"state": "running", "stage": "pilot" if pilot else "all", "size": 3 if pilot else 0}
        self.revision = 1
        self.merged: dict[str, str] = {}
        self.became_one: set[str] = set()
        self.flying: dict[str, Intent] = {}
        self.went: Counter[str] = Counter()
        self._seen = 0

    async def begin(self, *documents: object) -> None:
        await self.stage.begin(campaign(expires="20d"), *documents, launch(**self.told))
        self.people = await self.stage.audience(*names(8), apart=2)

    def canonical(self, who: str) -> str:
        while who in self.merged:
            who = self.merged[who]
        return who

    async def move(self, kind: str, one: int, other: int) -> None:
        stage = self.stage
        if kind in ("walk", "killed"):
            await stage.fire(one % 2, limit=1 + other % 3, killed=kind == "killed")
        elif kind == "both":
            await stage.both(limit=1 + other % 3)
        elif kind == "merge":
            winner, loser = sorted(self.canonical(self.people[n]) for n in (one, other))
            if winner != loser:
                await stage.merge(winner, loser)
                self.merged[loser] = winner
                self.became_one.add(winner)
        elif kind in ("pause", "resume", "rollout"):
            await self.tell(**{"pause": {"state": "paused"}, "resume": {"state": "running"}, "rollout": {"stage": "all"}}[kind])
        elif kind == "later":
            await stage.passed()
            stage.now += (1 + one) * HOUR
        elif kind == "leave":
            await stage.stands(self.people[one], change="left")
        elif self.flying:
            intent = self.flying.pop(sorted(self.flying)[one % len(self.flying)])
            self.went[intent.id] += kind == "accepted"
            await stage.verdict(intent, kind, "paused" if kind == "held" else "")
        self.look()

    async def tell(self, **told: object) -> None:
        self.told = {**self.told, **told}
        self.revision += 1
        await self.stage.publish(launch(self.revision, **self.told))

    def look(self) -> None:
        for intent in self.stage.intents[self._seen :]:
            assert intent.id not in self.flying and not self.went[intent.id], "one key, one letter at a time"
            self.flying[intent.id] = intent
        self._seen = len(self.stage.intents)

    async def finish(self, *, stop: bool) -> None:
        await self.stage.passed()
        await self.tell(**({"state": "stopped"} if stop else {"state": "running", "stage": "all"}))
        for _ in range(4):
            await self.stage.rest()
            self.look()
            for _ in range(len(self.flying)):
                await self.move("accepted", 0, 0)
            self.stage.now += DAY
        rows = await self.stage.rows()
        audience = {self.canonical(who) for who in self.people[:6]}
        assert {row["id"] for row in rows} >= {who for who in audience if who in self.told_of()}
        assert not [row for row in rows if row["due"]], "nobody's turn is left"
        assert {row["verdict"] for row in rows} <= {"accepted", "skipped"}, "everybody has a verdict, and it is final"
        letters = Counter(self.canonical(i.profile) for i in self._letters())
        assert all(count == 1 or who in self.became_one for who, count in letters.items()), "nobody gets two"
        assert {who for who, count in letters.items() if count} == {row["id"] for row in rows if row["verdict"] == "accepted"}

    def told_of(self) -> set[str]:
        return {self.canonical(one.profile) for one in self.stage.decisions}

    def _letters(self) -> list[Intent]:
        return [i for i in {i.id: i for i in self.stage.intents}.values() if self.went[i.id]]
