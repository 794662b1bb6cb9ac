"""The experiments service: counts of arms -> what they show, and plans. It keeps nothing and emits nothing."""

from runtime.process import main as run_main
from runtime.service import Service
from services.experiments.api import Statistics
from services.experiments.settings import ExperimentsSettings


def service(settings: ExperimentsSettings | None = None) -> Service:
    return Service(name="experiments", api=Statistics(settings or ExperimentsSettings()).api)


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
