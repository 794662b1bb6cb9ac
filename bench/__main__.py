"""`make bench` (under 20 minutes) and `make bench-large`: every figure into bench/results/latest.json."""

import argparse
import asyncio

from bench import backfill, campaign, charges, experiments, exports, identity, imports, journeys, live, pipeline, rehearse, segments


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--large", action="store_true", help="five minutes of load, one million people")
    parser.add_argument(
        "--only",
        choices=(
            "ingest",
            "pipeline",
            "charges",
            "identity",
            "growth",
            "import",
            "export",
            "segments",
            "live",
            "backfill",
            "campaign",
            "rehearse",
            "journeys",
            "experiments",
        ),
        help="one of them",
    )
    parser.add_argument("--seconds", type=float, help="of load, for the pipeline; of timers, for the journeys")
    parser.add_argument("--rate", type=float, default=5100, help="facts a second offered to the pipeline for its throughput")
    parser.add_argument("--runs", type=int, default=3, help="of each, of which the best counts")
    parser.add_argument(
        "--people",
        type=int,
        help="of the pipeline's load (100,000), of the history of the segments and the campaign (389,000), of the rehearsal (20,000)",
    )
    parser.add_argument("--facts", type=int, default=20_000_000, help="of the history of the segments and of the backfill")
    parser.add_argument("--questions", type=int, default=100, help="of each shape, about segments")
    parser.add_argument("--stateless", action="store_true", help="the segmenter knows nothing of what the history's people did")
    parser.add_argument("--quiet", action="store_true", help="no facts flow in while questions are asked about segments")
    parser.add_argument("--rows", type=int, default=389_000, help="of the import, people of the backfill")
    parser.add_argument(
        "--waiting", type=int, default=journeys.RUNS, help="runs that wait in a journey, and that are due at once after an outage"
    )
    parser.add_argument("--subscribed", action="store_true", help="with a word of consent in each row of the import")
    chosen = parser.parse_args()
    if chosen.only in (None, "ingest"):
        asyncio.run(pipeline.ingest())
    if chosen.only in (None, "pipeline"):
        seconds = chosen.seconds or (300 if chosen.large else 120)  # the backlog at the end counts against a short run
        asyncio.run(pipeline.whole_way(seconds, chosen.runs, chosen.people or 100_000, chosen.rate))
    if chosen.only in (None, "charges"):
        asyncio.run(charges.charges())
    if chosen.only in (None, "experiments"):
        experiments.experiments()
    if chosen.only in (None, "export"):
        asyncio.run(exports.exports())
    if chosen.only == "live" or (chosen.only is None and chosen.large):
        asyncio.run(live.live(min(60, chosen.seconds or 60)))
    if chosen.only == "segments" or (chosen.only is None and chosen.large):
        typing = segments.Typing(questions=chosen.questions, rate=0 if chosen.quiet else 1000)
        asyncio.run(segments.segments(chosen.people or 389_000, chosen.facts, typing, states=not chosen.stateless))
        if chosen.large:
            asyncio.run(segments.segments(1_000_000, 100_000_000, typing, states=False))
    if chosen.only == "backfill" or (chosen.only is None and chosen.large):
        asyncio.run(backfill.backfill(chosen.rows, chosen.facts))
    if chosen.only == "campaign" or (chosen.only is None and chosen.large):
        asyncio.run(campaign.campaign(chosen.people or campaign.PEOPLE))
    if chosen.only == "rehearse" or (chosen.only is None and chosen.large):
        people = chosen.people or 20_000
        asyncio.run(rehearse.rehearse(people, people * rehearse.A_YEAR_EACH, chosen.runs))
    if chosen.only == "journeys" or (chosen.only is None and chosen.large):
        asyncio.run(journeys.journeys(chosen.waiting, min(journeys.SECONDS, chosen.seconds or journeys.SECONDS)))
    if chosen.only == "identity" or (chosen.only is None and chosen.large):
        asyncio.run(identity.identity())
    if chosen.only == "growth" or (chosen.only is None and chosen.large):
        asyncio.run(pipeline.growth())
    if chosen.only == "import" or (chosen.only is None and chosen.large):
        asyncio.run(imports.whole(chosen.rows, subscribed=chosen.subscribed))


if __name__ == "__main__":
    main()
