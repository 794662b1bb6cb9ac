"""Bots as documents: a menu and dialogues in a messenger, and the words by which links, buttons and people name their parts."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas.connectors import Signs
from schemas.journeys import Document, duration_ms
from schemas.topics import Channel

BotChannel = Literal["telegram", "vk"]
IDENTIFIER: Mapping[str, str] = {"telegram": "telegram_id", "vk": "vk_id"}  # channel of a bot -> kind of identifier
STARTED, MESSAGE, BUTTON, BLOCKED, UNBLOCKED = "Bot Started", "Bot Message", "Bot Button", "Bot Blocked", "Bot Unblocked"
HEARD = frozenset((STARTED, MESSAGE, BUTTON))  # what a bot answers to
MENU = "menu"
AGAIN = "!again"  # behind the name of a question: what is said before it is asked once more
MOST_BUTTONS = 10  # VK takes no more in one message

# Short, and without "_" and ":": they stand in what a button sends (64 bytes) and in what a link starts with (64 characters).
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,19}$")]
Words = Annotated[str, Field(min_length=1, max_length=1000)]
Label = Annotated[str, Field(min_length=1, max_length=40)]
Address = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2000)]
Problem = tuple[str, str, str]  # field, code, what is wrong
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


class Button(Document):
    """A button under a message: it starts a dialogue, or leads to a page."""

    text: Label
    start: Name | None = None
    url: Address | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.start is None) == (self.url is None):
            raise ValueError("start, url: give one of them")
        return self


class Option(Document):
    """An answer of a question. value: as it is told in facts, its text if nothing is said; next: the step that this answer leads to."""

    text: Label
    value: str = Field(default="", max_length=200)
    points: int = Field(default=0, ge=-1000, le=1000, strict=True)
    next: Name | None = None

    def told(self) -> str:
        return self.value or self.text


class Say(Document):
    """A text, joined with what follows it into one message. buttons: only where nothing follows, as an answer goes to the last question."""

    id: Name
    say: Words
    buttons: tuple[Button, ...] = Field(default=(), max_length=MOST_BUTTONS)
    next: Name | None = None


class Ask(Document):
    """A question, which waits for its answer. kind: one of `options`, any text, or an address, by which he is known from then on.

    points: for any answer that fits. again: what is said before an answer that does not fit is asked for once more, `repeats` times at
    most; then, and by the button `skip`, it goes on at `otherwise` (None: as with an answer). region: of phones without "+".
    """

    id: Name
    ask: Words
    kind: Literal["choice", "text", "email", "phone"] = "choice"
    options: tuple[Option, ...] = Field(default=(), max_length=MOST_BUTTONS)
    points: int = Field(default=0, ge=-1000, le=1000, strict=True)
    repeats: int = Field(default=2, ge=0, le=5, strict=True)
    again: Words | None = None
    skip: Label | None = None
    region: str = Field(default="", pattern=r"^([A-Z]{2})?$")
    next: Name | None = None
    otherwise: Name | None = None


class Test(Document):
    """Of a fork: the answer to a question is one of these, or the points so far lie in [at_least, below)."""

    answer: Name | None = None
    among: tuple[str, ...] = Field(default=(), alias="in", max_length=50)
    at_least: int | None = Field(default=None, strict=True)
    below: int | None = Field(default=None, strict=True)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if self.answer is not None and not self.among:
            raise ValueError("in: list the answers that are meant")
        if (self.answer is None) == (self.at_least is None and self.below is None):
            raise ValueError("answer: ask for an answer, or for points by at_least and below")
        return self


class Fork(Document):
    """Go to `then` or to `else`; None ends the dialogue."""

    id: Name
    test: Test = Field(alias="if")
    then: Name | None = None
    otherwise: Name | None = Field(default=None, alias="else")


class Taken(Document):
    """A value that the dialogue itself has found: the points so far, or the answer to a question."""

    take: str = Field(pattern=r"^(points|answers\.[a-z0-9][a-z0-9-]{0,19})$")


Value = Annotated[str, Field(max_length=1000)] | bool | int | Taken
Values = Annotated[dict[Annotated[str, Field(min_length=1, max_length=200)], Value], Field(min_length=1, max_length=50)]


class Note(Document):
    """Keep something of the person, as his attributes."""

    id: Name
    set: Values
    next: Name | None = None


class Subscribe(Document):
    """He agrees to a topic ("*": all of the brand's). channels: on which ways; () is the bot's own. The evidence is the question before."""

    id: Name
    subscribe: str = Field(min_length=1, max_length=63)
    channels: tuple[Channel, ...] = ()
    next: Name | None = None


class Unsubscribe(Document):
    id: Name
    unsubscribe: str = Field(min_length=1, max_length=63)
    channels: tuple[Channel, ...] = ()
    next: Name | None = None


class Raise(Document):
    """Tell that something happened, as a track call would."""

    id: Name
    event: str = Field(alias="raise", min_length=1, max_length=200)
    properties: Annotated[dict[str, Value], Field(max_length=50)] = Field(default_factory=dict)
    next: Name | None = None


class Finish(Document):
    """The end. result: what has come out, told with `Survey Completed`."""

    id: Name
    end: Literal[True]
    result: str = Field(default="", max_length=200)


Step = Say | Ask | Fork | Note | Subscribe | Unsubscribe | Raise | Finish


class Dialogue(Document):
    """Steps run in the order of the list unless they say otherwise. words: what a person may write to begin it, "/quiz" and "quiz".

    survey: under which name its answers are told, its key if nothing is said. expires: a question that nobody answered for so long is
    forgotten.
    """

    key: Name
    words: tuple[Label, ...] = Field(default=(), max_length=20)
    survey: str = Field(default="", max_length=63)
    expires: str = "7d"
    steps: tuple[Step, ...] = Field(min_length=1, max_length=100)

    @field_validator("expires")
    @classmethod
    def _duration(cls, value: str) -> str:
        duration_ms(value)
        return value

    @model_validator(mode="after")
    def _connected(self) -> Self:
        _refuse([(f"steps.{place}.{field}", "value", what) for place, field, what in _faults(self)])
        return self

    def following(self) -> dict[str, str | None]:
        """Step -> the next one."""
        listed = [step.id for step in self.steps]
        return {
            step.id: None if isinstance(step, Finish) else getattr(step, "next", None) or after
            for step, after in zip(self.steps, (*listed[1:], None), strict=True)
        }


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
        _refuse(list(self._problems()))
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
        taken: dict[str, str] = {}
        for place, dialogue in enumerate(self.dialogues):
            for number, word in enumerate(dialogue.words):
                if taken.setdefault(plain(word), dialogue.key) != dialogue.key:
                    yield f"dialogues.{place}.words.{number}", "value", f"it begins {taken[plain(word)]!r} already"

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


def pressed(data: Any) -> Press | None:
    """What a button of ours said; None for what is none of ours."""
    found = _PRESSED.fullmatch(data) if isinstance(data, str) else None
    if found is None:
        return None
    run, dialogue, step, option, start = found.groups()
    return Press(start) if start else Press("", run, dialogue, step, None if option == "x" else int(option))


def plain(words: str) -> str:
    """Words as they are compared: without regard to case and spaces."""
    return " ".join(words.casefold().split())


def secret_of(vault: Signs, bot: Bot) -> str:
    """What Telegram and VK show that it is they who call: letters and digits."""
    return vault.token(f"bot:{bot.brand}:{bot.key}:{bot.secret_version}")


def _refuse(problems: list[Problem]) -> None:
    if problems:
        text = "; ".join(f"{field}: {what}" for field, _, what in problems)
        raise PydanticCustomError("problems", "{text}", {"text": text, "problems": problems})


def _faults(dialogue: Dialogue) -> Iterator[tuple[int, str, str]]:
    """(place of the step, field, what is wrong)"""
    ids = [step.id for step in dialogue.steps]
    asked = {step.id for step in dialogue.steps if isinstance(step, Ask)}
    for place, step in enumerate(dialogue.steps):
        if ids.index(step.id) != place:
            yield place, "id", "every step needs an id of its own"
        for field, target in _targets(step):
            if target not in ids:
                yield place, field, f"there is no step {target!r}"
        for field, question in _mentions(step):
            if question not in asked:
                yield place, field, f"there is no question {question!r}"
        if isinstance(step, Ask):
            yield from ((place, field, what) for field, what in _misasked(step))
    if not any(True for step in dialogue.steps for _, target in _targets(step) if target not in ids) and len(set(ids)) == len(ids):
        yield from _circles(dialogue)


def _misasked(step: Ask) -> Iterator[tuple[str, str]]:
    if (step.kind == "choice") != bool(step.options):
        yield "options", "a question with a choice needs them, another one has none"
    if len({plain(option.text) for option in step.options}) < len(step.options):
        yield "options", "two answers have one text"
    if len(step.options) + (step.skip is not None) > MOST_BUTTONS:
        yield "options", f"at most {MOST_BUTTONS} buttons, `skip` among them"


def _targets(step: Step) -> Iterator[tuple[str, str]]:
    named = {"next": getattr(step, "next", None)}
    if isinstance(step, Fork):
        named |= {"then": step.then, "else": step.otherwise}
    if isinstance(step, Ask):
        named["otherwise"] = step.otherwise
        named |= {f"options.{number}.next": option.next for number, option in enumerate(step.options)}
    yield from ((field, target) for field, target in named.items() if target is not None)


def _mentions(step: Step) -> Iterator[tuple[str, str]]:
    """The questions whose answers a step uses."""
    if isinstance(step, Fork) and step.test.answer is not None:
        yield "if.answer", step.test.answer
    values = step.set if isinstance(step, Note) else step.properties if isinstance(step, Raise) else {}
    field = "set" if isinstance(step, Note) else "properties"
    for name, value in values.items():
        if isinstance(value, Taken) and value.take != "points":
            yield f"{field}.{name}", value.take.removeprefix("answers.")


def _circles(dialogue: Dialogue) -> Iterator[tuple[int, str, str]]:
    """Steps that come back to themselves without a question between: a dialogue must end or wait."""
    after = dialogue.following()
    onward = {
        step.id: () if isinstance(step, Ask) else (step.then, step.otherwise) if isinstance(step, Fork) else (after[step.id],)
        for step in dialogue.steps
    }
    for place, step in enumerate(dialogue.steps):
        seen: set[str] = set()
        stack = [target for target in onward[step.id] if target]
        while stack:
            name = stack.pop()
            if name == step.id:
                yield place, "next", "it comes back to itself without a question between"
                break
            if name not in seen:
                seen.add(name)
                stack.extend(target for target in onward[name] if target)
