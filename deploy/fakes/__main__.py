"""`python -m deploy.fakes`: the fake providers of a local run, until a signal."""

import asyncio
import signal

from deploy.fakes.desk import Desk
from deploy.local.settings import LocalSettings


async def serve(settings: LocalSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    desk = Desk(settings.home / "messages")
    await desk.start(settings.fakes_port)
    try:
        await stop.wait()
    finally:
        await desk.stop()


def main() -> None:
    asyncio.run(serve(LocalSettings.from_environment()))


if __name__ == "__main__":
    main()
