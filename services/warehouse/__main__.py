"""The warehouse service: facts, memberships and decisions -> the lake."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtime.process import Context
from runtime.process import main as run_main
from runtime.service import Consumes, Service
from runtime.settings import Settings
from schemas.topics import DECISIONS, FACTS, FACTS_BULK, FACTS_RAW_BULK, MEMBERSHIPS
from services.warehouse import erasure
from services.warehouse.api import Reading
from services.warehouse.handler import PACE_S, Handler, decode_change, decode_fact, decode_verdict

# A batch is a file, so batches are large: what was not set for the process is set here.
LARGE = {
    "batch_rows": 20_000,
    "batch_bytes": 16_000_000,
    "batch_seconds": 10.0,
    "batch_bulk_seconds": 10.0,
    "transaction_timeout_s": 60,
}


def large(settings: Settings) -> Settings:
    return settings.model_copy(update={name: value for name, value in LARGE.items() if name not in settings.model_fields_set})


def service(pace_s: float = PACE_S) -> Service:
    handler, reading = Handler(pace_s), Reading()

    @asynccontextmanager
    async def life(context: Context) -> AsyncIterator[None]:
        async with handler.life(context), reading.life(context):
            yield

    return Service(
        name="warehouse",
        consumes=(
            Consumes(FACTS, decode_fact),
            Consumes(MEMBERSHIPS, decode_change),
            Consumes(DECISIONS, decode_verdict),
            Consumes(FACTS_BULK, decode_fact, lane="bulk"),
        ),
        handle=handler,
        committed=handler.committed,
        settings=large,
        migrations=("services.warehouse.migrations",),
        life=life,
        topics_written=(FACTS_RAW_BULK,),
        settle=reading.settle,
        busy=reading.busy,
        api=reading.api,
        failpoints=("lake_written", "lake_merged"),
        erased=erasure.erased,
    )


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
