"""`make bench` (under 20 minutes) and `make bench-large`: every figure into bench/results/latest.json."""

import argparse
import asyncio

from bench import pipeline


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--large", action="store_true", help="five minutes of load, one million people")
    parser.add_argument("--only", choices=("ingest", "pipeline", "growth"), help="one of them")
    parser.add_argument("--seconds", type=float, help="of load, for the pipeline")
    chosen = parser.parse_args()
    if chosen.only in (None, "ingest"):
        asyncio.run(pipeline.ingest())
    if chosen.only in (None, "pipeline"):
        asyncio.run(pipeline.whole_way(chosen.seconds or (300 if chosen.large else 60)))
    if chosen.only == "growth" or (chosen.only is None and chosen.large):
        asyncio.run(pipeline.growth())


if __name__ == "__main__":
    main()
