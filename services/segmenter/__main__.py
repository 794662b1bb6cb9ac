"""The segmenter service: `facts` -> `memberships`."""

from runtime import people
from runtime.definitions import decode_published
from runtime.process import main as run_main
from runtime.service import Consumes, Service
from runtime.settings import Settings
from schemas.topics import DEFINITIONS, FACTS, FACTS_BULK, MEMBERSHIPS
from services.segmenter.handler import Handler, decode
from services.segmenter.holding import held


def service(settings: Settings | None = None) -> Service:
    handler = Handler((settings or Settings()).partitions)
    return Service(
        name="segmenter",
        knows_its_age=(FACTS,),
        consumes=(Consumes(FACTS, decode), Consumes(FACTS_BULK, decode, lane="bulk"), Consumes(DEFINITIONS, decode_published)),
        handle=handler,
        timers=handler,
        life=handler.life,
        settle=handler.settle,
        api=handler.api,
        failpoints=("history_read", "history_added", "attributes_told"),
        held=held,
        erased=people.erased,
        migrations=("services.segmenter.migrations",),
        topics_written=(MEMBERSHIPS,),
    )


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
