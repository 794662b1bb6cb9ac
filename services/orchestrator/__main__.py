"""The orchestrator service: `facts`, `memberships` and the sender's `decisions` -> `messages.*` and `decisions`, and what it asks of profile -> `facts.raw`."""

from runtime import people
from runtime.process import main as run_main
from runtime.service import Consumes, Service
from runtime.settings import Settings
from schemas.topics import DECISIONS, DEFINITIONS, FACTS, FACTS_BULK, FACTS_RAW, MEMBERSHIPS, MESSAGES
from services.orchestrator.handler import Handler, decode_document, decode_fact, decode_membership, decode_verdict
from services.orchestrator.holding import held
from services.orchestrator.rehearsal.jobs import Jobs
from services.orchestrator.rehearsal.routes import routes


def service(settings: Settings | None = None) -> Service:
    handler = Handler((settings or Settings()).partitions)
    jobs = Jobs()
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
        life=jobs.life,
        api=lambda context: routes(context, jobs),
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
