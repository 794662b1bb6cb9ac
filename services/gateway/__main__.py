"""The gateway service: /api, the public paths, and the documents' way to `definitions`."""

from runtime.process import main as run_main
from runtime.service import Service
from services.gateway.service import build
from services.gateway.settings import GatewaySettings


def service(settings: GatewaySettings | None = None) -> Service:
    return build(settings or GatewaySettings())


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
