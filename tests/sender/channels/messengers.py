"""The channels behind a token, with their fakes."""

from typing import Any, NamedTuple

from services.sender.channels.fakes.telegram import TelegramFake
from services.sender.channels.fakes.vk import VkFake
from services.sender.channels.http_client import HttpSettings
from services.sender.channels.telegram import TelegramChannel, TelegramSettings
from services.sender.channels.vk import VkChannel, VkSettings

QUICK = HttpSettings(connections=4, connect_s=2, answer_s=0.3)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Messenger(NamedTuple):
    """to: under which name the fake keeps the address."""

    name: str
    token: str
    fake: Any
    made: Any
    settings: Any
    to: str

    def channel(self, port: int, clock: Clock, token: str = "") -> Any:
        return self.made(self.settings(token or self.token, f"http://127.0.0.1:{port}", QUICK), clock)


TELEGRAM = Messenger("telegram", "123:secret-token", TelegramFake, TelegramChannel, TelegramSettings, "chat_id")
VK = Messenger("vk", "vk1.secret-token", VkFake, VkChannel, VkSettings, "user_id")
