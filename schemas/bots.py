"""Bots as documents: a menu and dialogues in a messenger, and the words by which links, buttons and people name their parts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Self, get_args

from pydantic import Field, model_validator

from schemas import consents
from schemas.connectors import Signs
from schemas.dialogues import MOST_BUTTONS, Ask, Button, Dialogue, Name, Problem, Raise, Say, Words, plain, refuse
from schemas.documents import Document
from schemas.topics import ADDRESS_KIND

BotChannel = Literal["telegram", "vk"]
IDENTIFIER: Mapping[str, str] = {channel: ADDRESS_KIND[channel] for channel in get_args(BotChannel)}
STARTED, MESSAGE, BUTTON, BLOCKED, UNBLOCKED = "Bot Started", "Bot Message", "Bot Button", "Bot Blocked", "Bot Unblocked"
HEARD = frozenset((STARTED, MESSAGE, BUTTON))  # what a bot answers to
# What a step may not raise beside the events of surveys: what people do themselves, and words of consent, which need their question.
NOT_RAISED = HEARD | {BLOCKED, UNBLOCKED} | consents.EVENTS
MENU = "menu"
AGAIN = "!again"  # behind the name of a question: what is said before it is asked once more
_PRESSED = re.compile(r"a:([0-9a-f]{8}):([a-z0-9-]{1,20}):([a-z0-9-]{1,20}):(\d{1,2}|x)|s:([a-z0-9-]{1,20})")
AGAIN_WORDS = {
    ("ru", "choice"): "Пожалуйста, выберите один из вариантов.",
    ("ru", "text"): "Напишите, пожалуйста, ответ словами.",
    ("ru", "email"): "Похоже, в адресе опечатка. Напишите его, пожалуйста, ещё раз: например, anna@example.ru",
    ("ru", "phone"): "Похоже, в номере ошибка. Напишите его, пожалуйста, ещё раз: например, +7 916 123-45-67",
    ("en", "choice"): "Please choose one of the answers.",
    ("en", "text"): "Please answer in words.",
    ("en", "email"): "There seems to be a slip in the address. Please write it once more, such as ann@example.org",
    ("en", "phone"): "There seems to be a slip in the number. Please write it once more, such as +44 20 7946 0958",
}


class Shown(NamedTuple):
    """A button as a messenger is told of it: what it sends when it is pressed, or the page that it leads to."""

    text: str
    press: str = ""
    url: str = ""


class Menu(Document):
    """What a word is answered with that means nothing else, and `/start`."""

    text: Words
    buttons: tuple[Button, ...] = Field(default=(), max_length=MOST_BUTTONS)


class Bot(Document):
    """A bot of a brand, which Telegram or VK tells of what people write (docs/bots.md). start: the dialogue that begins by itself.

    secret_version: another one gives another secret, and ends the one of before. group, confirmation: of VK's Callback API: the
    community's number, and the text that it wants to be answered with once.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,57}$")
    brand: str = Field(min_length=1)
    channel: BotChannel
    name: str = Field(default="", max_length=200)
    language: Literal["en", "ru"] = "ru"
    secret_version: int = Field(default=1, ge=1, le=1_000_000, strict=True)
    group: int | None = Field(default=None, ge=1, le=2**53, strict=True)
    confirmation: str = Field(default="", max_length=100)
    menu: Menu
    start: Name | None = None
    dialogues: tuple[Dialogue, ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        refuse(list(self._problems()))
        return self

    def told_by(self) -> str:
        """The source of its facts."""
        return f"bot.{self.key}"

    def texts(self) -> dict[str, str]:
        """Everything that it says, by name: "menu", "quiz.q1", "quiz.q1!again"."""
        found = {MENU: self.menu.text}
        for dialogue in self.dialogues:
            for step in dialogue.steps:
                name = f"{dialogue.key}.{step.id}"
                if isinstance(step, Say):
                    found[name] = step.say
                elif isinstance(step, Ask):
                    found[name] = step.ask
                    found[name + AGAIN] = step.again or AGAIN_WORDS[self.language, step.kind]
        return found

    def buttons(self, name: str, run: str) -> tuple[Shown, ...]:
        """Those under a text. run: what began the dialogue, so that a press is known for an answer of its own time."""
        dialogue_key, _, step_id = name.partition(".")
        steps = (step for dialogue in self.dialogues if dialogue.key == dialogue_key for step in dialogue.steps)
        step = next((step for step in steps if step.id == step_id), None)
        if isinstance(step, Ask):
            options = [Shown(o.text, answer_data(run, dialogue_key, step_id, n)) for n, o in enumerate(step.options)]
            skip = [Shown(step.skip, answer_data(run, dialogue_key, step_id, None))] if step.skip else []
            return (*options, *skip)
        return shown(self.menu.buttons if name == MENU else step.buttons if isinstance(step, Say) else ())

    def _problems(self) -> Iterator[Problem]:
        if self.channel == "vk" and (self.group is None or not self.confirmation):
            yield (
                "group",
                "value",
                "VK's Callback API tells both: the community's number, and in `confirmation` the text that it wants",
            )
        keys = [dialogue.key for dialogue in self.dialogues]
        if len(set(keys)) != len(keys):
            yield "dialogues", "value", "every dialogue needs a key of its own"
        if self.start is not None and self.start not in keys:
            yield "start", "value", f"there is no dialogue {self.start!r}"
        for path, button in self._buttons():
            if button.start is not None and button.start not in keys:
                yield f"{path}.start", "value", f"there is no dialogue {button.start!r}"
        for path, event in self._raised():
            if event in NOT_RAISED or event.startswith("Survey "):
                yield path, "value", f"{event!r} is told by what people do, not by a step: take another name"
        taken: dict[str, str] = {}
        for place, dialogue in enumerate(self.dialogues):
            for number, word in enumerate(dialogue.words):
                if taken.setdefault(plain(word), dialogue.key) != dialogue.key:
                    yield f"dialogues.{place}.words.{number}", "value", f"it begins {taken[plain(word)]!r} already"

    def _raised(self) -> Iterator[tuple[str, str]]:
        for place, dialogue in enumerate(self.dialogues):
            raised = ((number, step.event) for number, step in enumerate(dialogue.steps) if isinstance(step, Raise))
            yield from ((f"dialogues.{place}.steps.{number}.raise", event) for number, event in raised)

    def _buttons(self) -> Iterator[tuple[str, Button]]:
        yield from ((f"menu.buttons.{number}", button) for number, button in enumerate(self.menu.buttons))
        for place, dialogue in enumerate(self.dialogues):
            for number, step in enumerate(dialogue.steps):
                buttons = step.buttons if isinstance(step, Say) else ()
                yield from ((f"dialogues.{place}.steps.{number}.buttons.{n}", button) for n, button in enumerate(buttons))


class Press(NamedTuple):
    """A button that was pressed. run: the beginning of the id of what began the dialogue; option: None for `skip`. Or only `start`."""

    start: str = ""
    run: str = ""
    dialogue: str = ""
    step: str = ""
    option: int | None = None


def answer_data(run: str, dialogue: str, step: str, option: int | None) -> str:
    """What the button of an answer sends, within Telegram's 64 bytes."""
    return f"a:{run[:8]}:{dialogue}:{step}:{'x' if option is None else option}"


def start_data(dialogue: str) -> str:
    """What a button that starts a dialogue sends."""
    return f"s:{dialogue}"


def shown(buttons: Iterable[Button]) -> tuple[Shown, ...]:
    return tuple(Shown(button.text, start_data(button.start) if button.start else "", button.url or "") for button in buttons)


def pressed(data: Any) -> Press | None:
    """What a button of ours said; None for what is none of ours."""
    found = _PRESSED.fullmatch(data) if isinstance(data, str) else None
    if found is None:
        return None
    run, dialogue, step, option, start = found.groups()
    return Press(start) if start else Press("", run, dialogue, step, None if option == "x" else int(option))


def secret_of(vault: Signs, bot: Bot) -> str:
    """What Telegram and VK show that it is they who call: letters and digits."""
    return vault.token(f"bot:{bot.brand}:{bot.key}:{bot.secret_version}")
