"""The profile service: `facts.raw` -> `facts`."""

from runtime.definitions import decode_published
from runtime.process import main as run_main
from runtime.service import Consumes, Service
from schemas.topics import DEFINITIONS, FACTS, FACTS_BULK, FACTS_RAW, FACTS_RAW_BULK
from services.profile.api import api
from services.profile.handler import Handler, decode_raw


def service() -> Service:
    handler = Handler()
    return Service(
        name="profile",
        knows_its_age=(FACTS_RAW,),
        consumes=(
            Consumes(FACTS_RAW, decode_raw),
            Consumes(FACTS_RAW_BULK, decode_raw, lane="bulk"),
            Consumes(DEFINITIONS, decode_published),
        ),
        handle=handler,
        timers=handler.charges,
        committed=handler.committed,
        settle=handler.shown.settle,
        migrations=("services.profile.migrations",),
        topics_written=(FACTS, FACTS_BULK, FACTS_RAW, FACTS_RAW_BULK),
        life=handler.life,
        api=api,
    )


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
