"""`python -m deploy.demo [--seed N] [--days N] [--keep] [--twice]`: play the month, show what became of it."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence

import httpx
from rich.console import Console

from deploy.demo import asking, counting, pictures, reading, report, results, source, stage, story
from deploy.demo.faults import DemoError
from deploy.demo.player import Played, Player
from deploy.demo.ways import Ways
from deploy.local.addresses import addresses
from deploy.local.errors import LocalRunError
from deploy.local.settings import LocalSettings
from schemas.topics import DECISIONS, FACTS, FACTS_BULK, FACTS_RAW, FACTS_RAW_BULK, MEMBERSHIPS

RAW = (FACTS_RAW.name, FACTS_RAW_BULK.name)
TOLD = (FACTS.name, FACTS_BULK.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: played, nothing lost and nothing twice; 1: something is wrong, and it is said."""
    chosen = _parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        settings = LocalSettings.from_environment()
        if chosen.keep and (settings.home / report.FILE).exists():
            return _show(console, settings, json.loads((settings.home / report.FILE).read_text(encoding="utf-8")))
        return _play(console, settings, chosen)
    except LocalRunError as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    except httpx.HTTPError as error:
        console.print(
            f"demo: a service does not answer ({error!r}). Mend: make status, make logs; then make demo again",
            style="red",
            markup=False,
        )
        return 1
    except KeyboardInterrupt:
        console.print("stopped in the middle of the story: make demo begins it anew")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of all that is made up; the same seed gives the same decisions")
    parser.add_argument("--days", type=int, help="play so many days only")
    parser.add_argument("--keep", action="store_true", help="show the last demo again in place of playing a new one")
    parser.add_argument("--twice", action="store_true", help="play it twice and compare the decisions")
    return parser


def _play(console: Console, settings: LocalSettings, chosen: argparse.Namespace) -> int:
    numbers = _once(console, settings, chosen)
    if chosen.twice:
        first, numbers = numbers, _once(console, settings, chosen)
        if first["decisions.sha256"] != numbers["decisions.sha256"]:
            raise DemoError(
                f"two runs with seed {chosen.seed} decided differently: {first['decisions.sha256']} and {numbers['decisions.sha256']}"
            )
        console.print("two runs, the same decisions")
    return _show(console, settings, numbers)


def _once(console: Console, settings: LocalSettings, chosen: argparse.Namespace) -> counting.Flat:
    began = time.monotonic()
    running = stage.brought_up(settings, console.print)
    if asyncio.run(stage.played_before(running)):
        running = stage.wiped(running, console.print)
    ready = time.monotonic()
    numbers = asyncio.run(_through(console, running, chosen))
    ended = time.monotonic()
    numbers |= {
        "seed": chosen.seed,
        "whole": int(chosen.days is None),
        "up_s": round(ready - began, 1),
        "wall_s": round(ended - began, 1),
    }
    console.print(f"numbers in {report.write(running, numbers)}")
    return numbers


async def _through(console: Console, settings: LocalSettings, chosen: argparse.Namespace) -> counting.Flat:
    invoices = source.load()
    calls = story.tell(invoices, chosen.seed, chosen.days)
    start = story.start_of(invoices)
    end = story.end_of(invoices, chosen.days) - 1  # the last millisecond of the last day
    async with Ways(settings) as ways, reading.Tables(settings) as tables:
        await ways.drive(start)
        await stage.publish(ways)
        await ways.settle()
        player = Player(ways, tables, calls, chosen.seed, end)
        began = time.monotonic()
        with report.Watching(console, start, end) as watching:
            async for now in player.play(start):
                watching.step(now, player.played)
        play_s = time.monotonic() - began
        numbers = await _read(settings, ways, tables, player.played)
        told = await asking.ask(ways, start, end + 1)
        numbers |= results.numbers(told)
        pictures.draw(told, settings.home)
        numbers |= {f"spent_s.{name}": round(seconds, 1) for name, seconds in player.played.spent_s.items()}
        numbers |= {f"simulated.{name}": count for name, count in sorted(player.played.reactions.items())}
        return numbers | {
            "steps": len(player.played.releases),
            "play_s": round(play_s, 1),
            "facts_per_s": round(int(numbers["facts.in"]) / play_s, 1),
        }


async def _read(settings: LocalSettings, ways: Ways, tables: reading.Tables, played: Played) -> counting.Flat:
    """Ask the system for every number."""
    async with reading.log(settings, (*RAW, *TOLD, DECISIONS.name, MEMBERSHIPS.name)) as log:
        raw = await log.count(*RAW)
        records = await log.all()
    told = reading.facts(value for topic in TOLD for value in records[topic])
    decisions = reading.decoded(records[DECISIONS.name])
    people, merged = await tables.profiles()
    keys = sorted(item["key"] for item in await ways.pages("/api/segments"))
    return {
        **counting.facts(played, told, raw, await ways.pages("/api/dead-letters")),
        "profiles": people,
        "merges": merged,
        **counting.segments(keys, await tables.members(), reading.decoded(records[MEMBERSHIPS.name])),
        **counting.intents(decisions, played.mails),
        **counting.messages(decisions),
        **counting.latency(played, decisions),
        **counting.examples(decisions, played.mails),
        "decisions": len(decisions),
        "decisions.sha256": counting.digest(decisions),
    }


def _show(console: Console, settings: LocalSettings, numbers: counting.Flat) -> int:
    console.print(report.table(numbers))
    console.print(f"the experiment says: {numbers.get('experiment.says')}", markup=False)
    if "experiment.revenue.says" in numbers:
        console.print(f"and of revenue, beside its verdict: {numbers['experiment.revenue.says']}", markup=False)
    console.print(f"decisions {numbers['decisions.sha256']} (seed {numbers['seed']}: the same at every run)", soft_wrap=True)
    running = stage.recorded(settings)
    console.print(addresses(running), markup=False, soft_wrap=True)
    console.print(report.look_at(running, numbers), markup=False, soft_wrap=True)
    for plot in sorted((running.home / pictures.FOLDER).glob("*.png")):
        console.print(f"plot  {plot}", soft_wrap=True)
    console.print("The clock stands at the end of the story. make demo plays it anew, make down stops everything.")
    broken = report.broken(numbers)
    if broken:
        console.print(f"promises not kept: {', '.join(broken)}", style="bold red")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
