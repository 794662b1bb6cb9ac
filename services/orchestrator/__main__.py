"""The orchestrator service: `facts`, `memberships` and the sender's `decisions` -> `messages.*` and `decisions`, and what it asks of profile -> `facts.raw`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.routing import BaseRoute

from runtime import people
from runtime.process import Context
from runtime.process import main as run_main
from runtime.service import Consumes, Service
from runtime.settings import Settings
from schemas.topics import DECISIONS, DEFINITIONS, FACTS, FACTS_BULK, FACTS_RAW, MEMBERSHIPS, MESSAGES
from services.orchestrator import api, launches_api
from services.orchestrator.handler import Handler, decode_document, decode_fact, decode_membership, decode_verdict
from services.orchestrator.holding import held
from services.orchestrator.promo import api as codes
from services.orchestrator.promo import watch
from services.orchestrator.rehearsal import routes as rehearsals
from services.orchestrator.rehearsal.jobs import Jobs
from services.orchestrator.seats import api as seats


def service(settings: Settings | None = None) -> Service:
    handler, jobs = Handler((settings or Settings()).partitions), Jobs()

    @asynccontextmanager
    async def life(context: Context) -> AsyncIterator[None]:
        handler.vault = context.vault
        async with watch.watching(context), jobs.life(context):
            yield

    def routes(context: Context) -> Sequence[BaseRoute]:
        launches = launches_api.routes(context, handler.definitions)
        apart = (api, codes, seats)
        return [*(route for part in apart for route in part.routes(context)), *launches, *rehearsals.routes(context, jobs)]

    return Service(
        name="orchestrator",
        knows_its_age=(FACTS,),
        consumes=(
            Consumes(FACTS, decode_fact),
            Consumes(MEMBERSHIPS, decode_membership),
            Consumes(DECISIONS, decode_verdict),
            Consumes(DEFINITIONS, decode_document),
            Consumes(FACTS_BULK, decode_fact, lane="bulk"),
        ),
        handle=handler,
        timers=handler,
        life=life,
        api=routes,
        held=held,
        erased=people.erased,
        committed=handler.committed,
        migrations=("services.orchestrator.migrations",),
        topics_written=(DECISIONS, FACTS_RAW, *MESSAGES),
    )


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
