"""The audience service: the lake -> answers about conditions in bulk."""

from runtime.definitions import decode_published
from runtime.process import main as run_main
from runtime.service import Consumes, Service
from schemas.topics import DEFINITIONS
from services.audience.api import Questions
from services.audience.settings import AudienceSettings


def service(settings: AudienceSettings | None = None) -> Service:
    questions = Questions(settings or AudienceSettings())
    return Service(name="audience", consumes=(Consumes(DEFINITIONS, decode_published),), life=questions.life, api=questions.api)


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
