"""The command: one instant of the live database, the state made anew beside it, what differs, and the exit code."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local import run as local
from deploy.local import secrets
from deploy.local.errors import LocalRunError
from deploy.local.settings import LocalSettings
from deploy.rebuilding import empty, profiles, segments, waiting
from deploy.rebuilding.profiles import Profiles
from deploy.rebuilding.segments import Instant, Step
from runtime.db import Connection, Database
from runtime.instant import instant
from runtime.lake import StaleSnapshot
from runtime.settings import Settings
from services.segmenter.__main__ import service as segmenter
from services.segmenter.mending import Moved, mend
from services.segmenter.rebuilding import Found, NothingToCompare, Stated, stated

SHOWN = 20
EQUAL, DIFFERS, NOT_COMPARED = 0, 1, 2


@dataclass(frozen=True)
class Rebuilt:
    """What came of it. into: name of the database that was made, if it was to stay; mended: people who have the state that was made anew."""

    where: Stated
    segmenter: Found
    profile: Profiles
    into: str | None
    mended: int = 0

    @property
    def differing(self) -> dict[str, list[str]]:
        """Id -> what differs of him, by service."""
        services = (("profile", self.profile.differing), ("segmenter", self.segmenter.differing))
        ids = sorted({*self.profile.differing, *self.segmenter.differing})
        return {one: [f"{name}: {what}" for name, found in services for what in found.get(one, ())] for one in ids}


def from_environment() -> Settings:
    """Of the local run in OTKLIK_HOME where there is one, else of the environment, as the services have them."""
    here = LocalSettings.from_environment()
    if not (here.home / local.RECORD).exists():
        return Settings()
    ran = local.recorded(here)
    own = {"home": ran.home, "kafka": ran.kafka, "keys_file": ran.keys_file, "database_url": secrets.database_url(ran)}
    return Settings().model_copy(update=own)


def run(into: str | None, seconds: float, out: Path | None, *, mend: bool, keep: bool) -> int:
    """Returns the exit code: 0 all is equal, 1 something differs."""
    settings, console = from_environment(), Console()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("waiting for the lake", total=None)

        def step(what: str, done: int, total: int) -> None:
            progress.update(bar, description=what, completed=done, total=total or None)

        rebuilt = asyncio.run(rebuild(settings, into, seconds, step, mends=mend, keep=keep))
    for line in report(rebuilt):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if out is not None:
        out.write_text("".join(f"{json.dumps({'id': one, 'differs': what})}\n" for one, what in rebuilt.differing.items()))
    return DIFFERS if rebuilt.differing else EQUAL


async def rebuild(
    settings: Settings,
    into: str | None = None,
    seconds: float = 60,
    step: Step = lambda *_: None,
    *,
    mends: bool = False,
    keep: bool = False,
) -> Rebuilt:
    """Make the state anew in an empty database and compare. seconds: how long the lake may take to come so far; mends: people of the
    segmenter's who differ get the state that was made anew; keep: the database that was made stays.

    Raises LocalRunError where nothing can be compared, with the mend.
    """
    name = into or empty.beside(settings.database_url)
    db = Database(settings, "warehouse")
    try:
        await db.open()
        async with instant(settings, "segmenter", "profile") as (now, live):
            where = await stated(live["segmenter"], now)
            ends = await waiting.for_the_lake(settings, db, await waiting.told(live["profile"]), seconds)
            standing = Instant(where, live["segmenter"], live["profile"], ends)
            async with empty.database(settings, name, keep=keep) as fresh:
                found, anew, mended = await _beside(settings, fresh, db, standing, step, mends=mends)
            return Rebuilt(where, found, anew, name if keep else None, mended)
    except ConnectionError as error:
        raise LocalRunError(f"Kafka or PostgreSQL does not answer ({error}): `make up` starts them") from None
    except asyncpg.UndefinedTableError as error:
        raise LocalRunError(f"this is no database of an installation that has run ({error}): is DATABASE_URL right?") from None
    except (NothingToCompare, Moved) as error:
        raise LocalRunError(str(error)) from None
    except StaleSnapshot:
        raise LocalRunError("the lake's files were replaced while they were read: run again") from None
    finally:
        await db.close()


async def _beside(
    settings: Settings, fresh: Settings, db: Database, live: Instant, step: Step, *, mends: bool
) -> tuple[Found, Profiles, int]:
    """What differs in the segmenter and in profile, and how many people were mended."""
    async with empty.schema(fresh, "segmenter", segmenter().migrations) as made:
        found = await segments.rebuild(settings, db, live, made, step)
        anew = await profiles.rebuild(settings, fresh, live.profile, step)
        mended = await _mend(settings, made, live.where, found) if mends and found.differing else 0
    return found, anew, mended


async def _mend(settings: Settings, made: Connection, where: Stated, found: Found) -> int:
    db = await Database(settings, "segmenter").open()
    try:
        return await mend(db, made, where, sorted(found.differing), settings.partitions)
    finally:
        await db.close()


def report(done: Rebuilt) -> Iterable[str]:
    """What is said on the terminal: ids and names, never what somebody is called or has said."""
    where, found = done.where, done.segmenter
    at = datetime.fromtimestamp(where.now / 1000, UTC).isoformat(timespec="milliseconds")
    stood = ", ".join(f"{topic}-{partition} {offset}" for (topic, partition), offset in sorted(where.places.items()) if offset)
    yield f"stated instant {at}; the segmenter stood at {stood or 'the beginning'}"
    yield (
        f"compared: {found.people} people, {found.segments} segments and {found.conditions} conditions of journeys, "
        f"{found.memberships} memberships, {found.rows} state rows"
    )
    if found.moving:
        yield f"not compared: {found.moving} people of whom the segmenter had not heard all that profile had told"
    if found.under_way:
        yield f"not compared: {found.under_way} people to whom a plan, history or an unmerge was still to come"
    if found.unasked:
        yield f"not compared: segments of which history or personal attributes are still on their way: {', '.join(sorted(found.unasked))}"
    if where.buried:
        yield f"the segmenter has buried {where.buried} records: live lacks them, the lake has them"
    yield from _of_profile(done.profile)
    differing = done.differing
    for one, what in list(differing.items())[:SHOWN]:
        yield f"{one} differs: {'; '.join(what)}"
    if len(differing) > SHOWN:
        yield f"... and {len(differing) - SHOWN} more: --out FILE names them all"
    if done.mended:
        yield f"{done.mended} people were mended: the segmenter tells what is otherwise when it runs; run again then"
    if done.into:
        yield f"the state made anew is in the database {done.into}: it holds personal data, drop it when you have seen it"
    yield f"{len(differing)} differ" if differing else "live and rebuilt are equal"


def _of_profile(found: Profiles) -> Iterable[str]:
    if found.missing:
        (topic, partition), offset = min(found.missing.items())
        yield (
            f"not compared: who is whom, as the log or its journal begins later than the installation ({topic}-{partition} at {offset}): "
            "profile's state stands as it is"
        )
        return
    yield f"compared: {found.people} profiles with the {found.records} records of the log of which they were made"
    if found.buried:
        yield f"{found.buried} records of the log can be handled by nobody"
    if found.changed:
        yield "other rules of identity ruled when some of the log was decided: profiles may differ by that alone"
