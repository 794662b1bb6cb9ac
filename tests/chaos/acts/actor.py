"""Does beside the main stream what a marketer does while everything is killed: launches, pauses, publishes anew, parts who is one by a slip."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpx

from runtime.clock import wall_ms
from runtime.settings import Settings
from schemas.controls import gate_of
from schemas.definitions import Published
from tests.chaos.acts import offers
from tests.chaos.acts.crowd import Crowd, Somebody
from tests.chaos.acts.eye import Eye
from tests.chaos.acts.log import Launched, Log, Parted, Shut
from tests.chaos.load import Load
from tests.chaos.stream import Call
from tests.chaos.welcome import publish

AUDIENCE = (("plain", 120), ("shy", 12), ("silent", 12), ("refused", 8), ("unreachable", 8), ("bounce", 5), ("stranger", 15))
PUPILS = (
    ("lesson", "Lesson Asked", "chat", 25),
    ("lesson", "Lesson Asked", "gone", 15),
    ("reminder", "Reminder Asked", "chat", 25),
)
WALKERS, MOVERS, PAIRS = 80, 80, 25
ARRIVING_S = 80.0  # walkers and movers come one after the other; in the midst something happens to their journey
PAUSE_S = 15.0
KNOWN = """
SELECT count(*) FROM orchestrator.person p JOIN profile.identifier i ON i.profile = p.id
WHERE i.key = ANY($1::text[]) AND position($2::bytea IN p.state) > 0
"""
STANDING = "SELECT count(*) FROM orchestrator.person WHERE due_at > $2 AND position($1::bytea IN state) > 0"
STAND = 8  # so many wait when something happens to their journey
STAND_MS = 5_000  # and for so long still: who is late to be moved on, as a process is away, goes on before it happens
ISSUED = "SELECT coalesce(sum(issued), 0)::int FROM orchestrator.launch_partition WHERE launch = $1::uuid"
CLOSED = "SELECT count(*) FROM orchestrator.launch_partition WHERE launch = $1::uuid AND chosen AND NOT open"
WHOSE = """
SELECT i.key, coalesce(p.merged_into, p.id)::text FROM profile.identifier i JOIN profile.profile p ON p.id = i.profile
WHERE i.key = ANY($1::text[])
"""
PARTED_ALREADY = (httpx.codes.CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY)  # nothing to part, or names that are not his any more

Say = Callable[[str], None]


class Actor:
    """Fills `log`. parts: the internal address of a profile service, and the token for it."""

    def __init__(self, settings: Settings, load: Load, eye: Eye, parts: tuple[str, str], say: Say) -> None:
        self._settings, self._load, self._eye, self._say = settings, load, eye, say
        self._crowd, self.log = Crowd(), Log()
        address, token = parts
        self._profile = httpx.AsyncClient(
            base_url=address, timeout=20, trust_env=False, headers={"authorization": f"Bearer {token}"}
        )

    async def run(self) -> None:
        """All at once. Returns when each has been done; what follows from it may still go on."""
        try:
            async with asyncio.TaskGroup() as group:
                for act in (self._mail, self._teach, self._walk, self._move, self._part):
                    group.create_task(act())
        finally:
            await self._profile.aclose()
            await self._eye.close()

    # ---- the campaign

    async def _mail(self) -> None:
        made = [self._crowd.audience(kind) for kind, count in AUDIENCE for _ in range(count)]
        self.log.audience = [who for who, _ in made]
        await self._load.tell([call for _, calls in made for call in calls])
        names = [who.names[0] for who in self.log.audience if who.kind != "stranger"]
        await self._eye.until(KNOWN, names, b"~campaign.spring.1.audience", wanted=len(names))
        shy = [who.names[0] for who in self.log.audience if who.kind == "shy"]
        await self._eye.until(KNOWN, shy, b"~campaign.spring.1.exclude", wanted=len(shy))
        for number in (1, 2):
            await self._launch(number)

    async def _launch(self, number: int) -> None:
        """The first one is paused and goes on, the second one is paused, goes on and is stopped."""
        one, start = Launched(offers.launch_id(number), number), wall_ms()
        self.log.launches.append(one)
        await self._told([offers.launch(number, 1, "running", start, start)])
        self._say(f"launch {number} of the campaign")
        await self._eye.until(ISSUED, one.id, wanted=25)

        async def is_now(revision: int, state: str) -> None:
            await self._told([offers.launch(number, revision, state, start, wall_ms())])

        one.shut.append(await self._shut(lambda: is_now(2, "paused"), "launch", one.id, 2, lambda: is_now(3, "running")))
        if number == 2:
            await self._eye.until(ISSUED, one.id, wanted=60)
            one.stopped = True
            await is_now(4, "stopped")
            answered = wall_ms()
            one.shut.append(Shut(answered, await self._eye.in_force("launch", one.id, 4)))
            self._say("the launch is stopped")
        await self._eye.until(CLOSED, one.id, wanted=self._settings.partitions)

    async def _shut(
        self, pause: Callable[[], Awaitable[None]], kind: str, key: str, number: int, resume: Callable[[], Awaitable[None]]
    ) -> Shut:
        """Pause, wait, resume."""
        await pause()
        answered = wall_ms()
        known = await self._eye.in_force(kind, key, number)
        self._say(f"{key} is paused, known to the sender after {known - answered} ms")
        await asyncio.sleep(PAUSE_S)
        opened = wall_ms()
        await resume()
        self._say(f"{key} goes on")
        return Shut(answered, known, opened)

    # ---- journeys

    async def _teach(self) -> None:
        made = [self._crowd.begins(kind, event, "mail", chat) for kind, event, chat, count in PUPILS for _ in range(count)]
        await self._one_by_one(made, self.log.pupils)

    async def _walk(self) -> None:
        made = [self._crowd.begins("walker", "Trail Begun", "mail") for _ in range(WALKERS)]
        coming = asyncio.create_task(self._one_by_one(made, self.log.walkers))

        async def is_now(number: int, state: str) -> None:
            await self._told([offers.gate("trail", number, state, wall_ms())])

        await self._in_the_midst(coming, made[len(made) // 2][0], b"rest")
        shut = await self._shut(lambda: is_now(1, "paused"), "gate", gate_of("trail"), 1, lambda: is_now(2, "open"))
        self.log.paused.append(shut)
        await coming

    async def _move(self) -> None:
        made = [self._crowd.begins("mover", "Path Begun", "mail") for _ in range(MOVERS)]
        coming = asyncio.create_task(self._one_by_one(made, self.log.movers))
        await self._in_the_midst(coming, made[len(made) * 3 // 4][0], b"stand1")
        began = wall_ms()
        await self._told(offers.led_on(began))
        self.log.led = (began, wall_ms())
        self._say("version 2 of the path, and people are led to it")
        await coming

    async def _in_the_midst(self, coming: "asyncio.Task[None]", who: Somebody, step: bytes) -> None:
        """Wait until somebody has come, and several stand on a step of such a name; or until nobody is to come any more."""
        while not coming.done():
            if who.start in self.log.posted and await self._eye.value(STANDING, step, wall_ms() + STAND_MS) >= STAND:
                return
            await asyncio.sleep(0.1)

    async def _one_by_one(self, made: Sequence[tuple[Somebody, list[Call]]], kept: list[Somebody]) -> None:
        """They come spread over ARRIVING_S, a few at a time while a door is away."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, (who, calls) in enumerate(made):
            await asyncio.sleep(max(0.0, began + number * ARRIVING_S / len(made) - loop.time()))
            kept.append(who)
            await self._load.tell(calls[:-1])
            self.log.posted[who.start] = await self._load.tell(calls[-1:])

    # ---- who is one by a slip

    async def _part(self) -> None:
        pairs = [self._crowd.pair() for _ in range(PAIRS)]
        await self._load.tell([call for *_, calls in pairs for call in calls])
        begun = [self._crowd.call(one.names[:1], "Union Begun") for one, _, _ in pairs]
        posted = await self._load.tell(begun)
        self.log.posted |= {call.message: posted for call in begun}
        await self._load.tell([self._crowd.call((one.names[0], other.names[1]), "Seen") for one, other, _ in pairs])
        for (one, other, _), call in zip(pairs, begun, strict=True):
            person = await self._one_person((*one.names, *other.names))
            answered = await self._unmerge(person, other.names)
            self.log.pairs.append(Parted(one, other, call.message, answered))
        self._say(f"{len(pairs)} people who were one by a slip are parted")
        # It is told once more of some that they are one: they stay two.
        again = [self._crowd.call((one.names[0], other.names[1]), "Seen") for one, other, _ in pairs[::2]]
        await self._load.tell([*again, *(self._crowd.call(other.names[:1], "Seen") for _, other, _ in pairs)])

    async def _one_person(self, names: Iterable[str]) -> str:
        """Wait until all are one. Returns his id."""
        wanted = list(names)
        while True:
            found = dict(await self._eye.rows(WHOSE, wanted))
            if len(found) == len(wanted) and len(set(found.values())) == 1:
                return str(found[wanted[0]])
            await asyncio.sleep(0.1)

    async def _unmerge(self, person: str, apart: Sequence[str]) -> int:
        """Asked for until it is promised, or was done by an asking whose answer was lost. When (ms)."""
        body = {"apart": list(apart), "reason": "a slip", "rehearse": False}
        done: tuple[int, ...] = ()
        while True:
            try:
                answer = await self._profile.post(f"/internal/profiles/{person}/unmerge", json=body)
            except httpx.HTTPError:
                answer = None
            if answer is not None and (answer.is_success or answer.status_code in done):
                return wall_ms()
            if answer is not None and answer.is_client_error:
                raise RuntimeError(f"unmerge refused for good: {answer.status_code} {answer.text[:300]}")
            done = PARTED_ALREADY
            await asyncio.sleep(0.3)

    async def _told(self, published: list[Published]) -> None:
        """Until all of it is in the log."""
        while not await publish(self._settings, published):  # noqa: ASYNC110  (the broker is away)
            await asyncio.sleep(0.3)
