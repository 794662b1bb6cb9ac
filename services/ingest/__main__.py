"""The ingest service: calls over HTTP and imported files -> `facts.raw`, `facts.raw.bulk`."""

from runtime.process import main as run_main
from runtime.service import Service
from services.ingest.service import build
from services.ingest.settings import IngestSettings


def service(settings: IngestSettings | None = None) -> Service:
    return build(settings or IngestSettings())


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
