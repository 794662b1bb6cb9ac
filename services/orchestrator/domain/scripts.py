"""Bots, compiled: what each word begins, and the way through each dialogue."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from schemas.bots import Bot
from schemas.dialogues import Ask, Button, Dialogue, Say, Step, plain
from schemas.documents import duration_ms


@dataclass(frozen=True, slots=True)
class Lines:
    """One dialogue. following: step -> the next one; asks: has it a question?"""

    key: str
    survey: str
    first: str
    steps: Mapping[str, Step]
    following: Mapping[str, str | None]
    expires: int
    asks: bool


@dataclass(frozen=True, slots=True)
class Script:
    """One version of a bot. words: what a person may write -> the dialogue that it begins, the labels of its buttons among them."""

    bot: Bot
    version: int
    dialogues: Mapping[str, Lines]
    words: Mapping[str, str]
    texts: Mapping[str, str]

    @property
    def document(self) -> str:
        return f"bot:{self.bot.key}"


@lru_cache(maxsize=1024)
def compiled(body: bytes, version: int) -> Script:
    bot = Bot.model_validate_json(body)
    labels = {plain(button.text): button.start for button in _buttons(bot) if button.start}
    words = {plain(word): dialogue.key for dialogue in bot.dialogues for word in dialogue.words}
    return Script(bot, version, {d.key: _lines(d) for d in bot.dialogues}, {**labels, **words}, bot.texts())


def _lines(dialogue: Dialogue) -> Lines:
    return Lines(
        key=dialogue.key,
        survey=dialogue.survey or dialogue.key,
        first=dialogue.steps[0].id,
        steps={step.id: step for step in dialogue.steps},
        following=dialogue.following(),
        expires=duration_ms(dialogue.expires),
        asks=any(isinstance(step, Ask) for step in dialogue.steps),
    )


def _buttons(bot: Bot) -> list[Button]:
    said = [step for dialogue in bot.dialogues for step in dialogue.steps if isinstance(step, Say)]
    return [*(button for step in said for button in step.buttons), *bot.menu.buttons]
