"""The player against an installation that only takes notes: steps, order, batches, simulated readers."""

import msgspec
import pytest

from deploy.demo import player
from deploy.demo.player import BATCH_BYTES, BATCH_EVENTS, Player, batches
from deploy.demo.reactions import reactions
from deploy.demo.story import DAY, HOUR, Call

START = 1_291_161_600_000  # a full hour
TOKEN = "A" * 42


def hour(number: int) -> int:
    """The last millisecond of the story's n-th hour."""
    return START + number * HOUR - 1


def call(at, name, **more):
    return Call(at, {"type": "track", "messageId": name, "userId": "u", **more})


class Notes:
    """In place of the ways: every doing is a line; a mail comes for each call whose name says so."""

    def __init__(self):
        self.lines, self.caught, self.waiting, self.now = [], [], [], START

    async def drive(self, at):
        self.now = at
        self.lines.append(("clock", at))

    async def track(self, calls):
        names = [msgspec.json.decode(one)["messageId"] for one in calls]
        self.lines.append(("track", names))
        self.waiting += [name for name in names if name.startswith("mail")]

    async def settle(self):
        self.lines.append(("settle", self.now))
        for name in self.waiting:
            number = len(self.caught) + 1
            self.caught.append({"id": number, "at": 1, "to": ["a@x"], "message_id": f"<{name}@x>"})
        self.waiting = []
        return 1

    async def mails(self, after):
        return self.caught[after:]

    async def mail(self, number):
        return {"id": number, "headers": [["List-Unsubscribe", f"</u/{TOKEN}>"]], "html": f"/o/{TOKEN} /c/{TOKEN}"}

    async def follow(self, path, expected):
        self.lines.append((path[:2], expected))

    async def press(self, path):
        self.lines.append((path[:2], 200))


class Timers:
    """In place of the tables: what is due, until the clock has passed it."""

    def __init__(self, notes, *due):
        self._notes, self._due = notes, due

    async def next_due(self):
        return min((due for due in self._due if due > self._notes.now), default=None)


async def played(calls, *due, end=START + DAY, seed=1):
    notes = Notes()
    one = Player(notes, Timers(notes, *due), calls, seed, end)
    steps = [now async for now in one.play(START)]
    return notes, one.played, steps


async def test_hours_in_which_nothing_happens_are_skipped():
    calls = [call(START + 10, "a"), call(START + HOUR, "b"), call(START + 5 * HOUR + 1, "c")]
    _, _, steps = await played(calls, START + 8 * HOUR + 30)
    assert steps == [hour(1), hour(2), hour(6), hour(9), START + DAY]


async def test_the_clock_goes_first_then_the_inputs_in_order_then_everybody_rests():
    notes, seen, _ = await played([call(START + 10, "a"), call(START + 20, "b"), call(hour(2), "c")], end=hour(2))
    assert notes.lines == [
        ("clock", hour(1)), ("track", ["a", "b"]), ("settle", hour(1)),
        ("clock", hour(2)), ("track", ["c"]), ("settle", hour(2)),
    ]  # fmt: skip
    assert seen.calls == 3 and len(seen.facts) == 3
    assert [step for step, _ in seen.releases] == [hour(1), hour(2)]


async def test_a_repeat_counts_as_a_call_and_is_one_fact():
    _, seen, _ = await played([call(START + 1, "a"), call(START + 2 * HOUR, "a")])
    assert (seen.calls, len(seen.facts)) == (2, 1)
    assert next(iter(seen.facts.values())).step == hour(1)


async def test_simulated_readers_act_at_their_time_and_not_before():
    reader = next(n for n in range(10_000) if len(reactions(1, f"<mail{n}@x>", 1, hour(1))) == 3)
    due = [one.at for one in reactions(1, f"<mail{reader}@x>", 1, hour(1))]
    notes, seen, steps = await played([call(START + 10, f"mail{reader}")], end=START + 2 * DAY)
    assert seen.reactions == {"open": 1, "click": 1, "unsubscribe": 1}
    done = [line[0] for line in notes.lines if line[0] in {"/o", "/c", "/u"}]
    assert done == ["/o", "/c", "/u"]
    clocks = [at for what, at in notes.lines[: notes.lines.index(("/o", 200))] if what == "clock"]
    assert clocks[-1] == due[0] // HOUR * HOUR + HOUR - 1
    assert steps == sorted(set(steps))


async def test_what_is_due_after_the_end_is_left():
    _, _, steps = await played([], START + 3 * DAY, end=START + DAY)
    assert steps == [START + DAY]


@pytest.mark.parametrize("size", [10, 3_000])
def test_batches_fit_the_tracking_api_and_keep_the_order(size):
    calls = [call(START, f"m{n}", properties={"x": "y" * size}) for n in range(2_500)]
    cut = batches(calls)
    assert [name for batch in cut for name, _ in batch] == [f"m{n}" for n in range(2_500)]
    assert max(map(len, cut)) <= BATCH_EVENTS
    assert max(sum(len(encoded) + 1 for _, encoded in batch) for batch in cut) <= BATCH_BYTES + 1
    assert batches([]) == []


def test_the_source_is_the_one_that_the_first_write_key_stands_for():
    from services.ingest.settings import IngestSettings

    assert IngestSettings.model_fields["first_source"].default == player.SOURCE
