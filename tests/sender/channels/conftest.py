import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from services.sender.channels.contract import Rendered
from tests.sender.channels.messengers import Clock, Messenger


@pytest.fixture
def message() -> Callable[..., Rendered]:
    """A letter, an SMS or a chat message to an address; everything else has a default."""
    numbers = iter(range(1, 1_000_000))

    def make(address: str, **changes) -> Rendered:
        number = next(numbers)
        fields = {
            "key": f"6f1d3c5e-0b55-5c0e-9d0b-{number:012d}",
            "address": address,
            "text": f"Привет №{number}",
            "message_id": f"{number}@shop.example",
            "sender": "news@shop.example",
            "sender_name": "Магазин",
            "subject": "Ваш заказ",
            "html": "<p>Привет</p>",
            "date_ms": 1_700_000_000_000,
        }
        return Rendered(**(fields | changes))

    return make


class Started:
    """Counts starts; `fails` makes the ledger's commit fail."""

    def __init__(self, fails: bool = False) -> None:
        self.count = 0
        self._fails = fails

    async def __call__(self) -> None:
        self.count += 1
        if self._fails:
            raise RuntimeError("the ledger is not there")


@pytest.fixture
def started() -> Started:
    return Started()


@pytest.fixture
def failing_start() -> Started:
    return Started(fails=True)


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Bound and not listening: connections to it are refused."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def fake(messenger: Messenger) -> AsyncIterator[Any]:
    """Of the `messenger` that a module of tests is about."""
    fake = messenger.fake(messenger.token)
    fake.port = await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def channel(messenger: Messenger, fake: Any, clock: Clock) -> AsyncIterator[Any]:
    channel = messenger.channel(fake.port, clock)
    yield channel
    await channel.close()
