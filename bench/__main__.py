"""`make bench` (under 20 minutes) and `make bench-large`: every figure into bench/results/latest.json."""

import argparse
import asyncio

from bench import backfill, charges, exports, identity, imports, pipeline


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--large", action="store_true", help="five minutes of load, one million people")
    parser.add_argument(
        "--only",
        choices=("ingest", "pipeline", "charges", "identity", "growth", "import", "export", "backfill"),
        help="one of them",
    )
    parser.add_argument("--seconds", type=float, help="of load, for the pipeline")
    parser.add_argument("--rate", type=float, default=5100, help="facts a second offered to the pipeline for its throughput")
    parser.add_argument("--runs", type=int, default=3, help="of each, of which the best counts")
    parser.add_argument("--people", type=int, default=100_000, help="of the pipeline's load")
    parser.add_argument("--rows", type=int, default=389_000, help="of the import, people of the backfill")
    parser.add_argument("--facts", type=int, default=20_000_000, help="of the base of the backfill")
    parser.add_argument("--subscribed", action="store_true", help="with a word of consent in each row of the import")
    chosen = parser.parse_args()
    if chosen.only in (None, "ingest"):
        asyncio.run(pipeline.ingest())
    if chosen.only in (None, "pipeline"):
        seconds = chosen.seconds or (300 if chosen.large else 120)  # the backlog at the end counts against a short run
        asyncio.run(pipeline.whole_way(seconds, chosen.runs, chosen.people, chosen.rate))
    if chosen.only in (None, "charges"):
        asyncio.run(charges.charges())
    if chosen.only in (None, "export"):
        asyncio.run(exports.exports())
    if chosen.only == "backfill" or (chosen.only is None and chosen.large):
        asyncio.run(backfill.backfill(chosen.rows, chosen.facts))
    if chosen.only == "identity" or (chosen.only is None and chosen.large):
        asyncio.run(identity.identity())
    if chosen.only == "growth" or (chosen.only is None and chosen.large):
        asyncio.run(pipeline.growth())
    if chosen.only == "import" or (chosen.only is None and chosen.large):
        asyncio.run(imports.whole(chosen.rows, subscribed=chosen.subscribed))


if __name__ == "__main__":
    main()
