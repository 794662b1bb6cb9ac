"""Dialogues of a bot as documents: what it says and asks, and what it makes of the answers."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas.documents import Document, duration_ms
from schemas.facts import PERSONAL
from schemas.topics import Channel

MOST_BUTTONS = 10  # VK takes no more in one message
MOST_CHARS = 3500  # of what is said at once: a message takes 4096, and what templates put in needs some of them

# Short, and without "_" and ":": they stand in what a button sends (64 bytes) and in what a link starts with (64 characters).
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,19}$")]
Words = Annotated[str, Field(min_length=1, max_length=1000)]
Label = Annotated[str, Field(min_length=1, max_length=40)]
Address = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2000)]
Problem = tuple[str, str, str]  # field, code, what is wrong
TOLD = frozenset(("run", "bot", "dialogue"))  # properties that every event of a dialogue has


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
    most; then, and by the button `skip`, it goes on at `otherwise` (None: as with an answer). region: of phones without "+". private: no
    fact says more of the answer than that it was given, but under a personal name (`written`) into which a step takes it.
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
    private: bool = False
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


# No state can hold a whole number beyond 64 bits: a fact with one would be refused.
Value = Annotated[str, Field(max_length=1000)] | bool | Annotated[int, Field(ge=-(2**63), lt=2**63)] | Taken
Values = Annotated[dict[Annotated[str, Field(min_length=1, max_length=200)], Value], Field(min_length=1, max_length=50)]


class Note(Document):
    """Keep something of the person, as his attributes."""

    id: Name
    set: Values
    next: Name | None = None


class Subscribe(Document):
    """He agrees to a topic ("*": all of the brand's). channels: on which ways; () is the bot's own. The question before is the evidence: who
    went on without an answer has agreed to nothing.
    """

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
    """Tell that something happened, as a track call would. Not what only the bot, a survey or a word of consent tells."""

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
        refuse([(f"steps.{place}.{field}", "value", what) for place, field, what in _faults(self)])
        return self

    def following(self) -> dict[str, str | None]:
        """Step -> the next one."""
        listed = [step.id for step in self.steps]
        return {
            step.id: None if isinstance(step, Finish) else getattr(step, "next", None) or after
            for step, after in zip(self.steps, (*listed[1:], None), strict=True)
        }


def plain(words: str) -> str:
    """Words as they are compared: without regard to case and spaces."""
    return " ".join(words.casefold().split())


def refuse(problems: list[Problem]) -> None:
    """Raise a validation error with every one of them."""
    if problems:
        text = "; ".join(f"{field}: {what}" for field, _, what in problems)
        raise PydanticCustomError("problems", "{text}", {"text": text, "problems": problems})


def _faults(dialogue: Dialogue) -> Iterator[tuple[int, str, str]]:
    """(place of the step, field, what is wrong)"""
    ids = [step.id for step in dialogue.steps]
    asked = {step.id: step for step in dialogue.steps if isinstance(step, Ask)}
    for place, step in enumerate(dialogue.steps):
        if ids.index(step.id) != place:
            yield place, "id", "every step needs an id of its own"
        for field, target in _targets(step):
            if target not in ids:
                yield place, field, f"there is no step {target!r}"
        for field, question in _mentions(step):
            if question not in asked:
                yield place, field, f"there is no question {question!r}"
            elif asked[question].private and not isinstance(step, Fork) and field.partition(".")[2] not in PERSONAL:
                yield place, field, "the answer is private: take it into a personal name only, such as `written`"
        if isinstance(step, Raise):
            yield from (
                (place, f"properties.{name}", "every event of a bot has it already") for name in TOLD & step.properties.keys()
            )
        if isinstance(step, Ask):
            yield from ((place, field, what) for field, what in _misasked(step))
    if len(set(ids)) == len(ids) and all(target in ids for step in dialogue.steps for _, target in _targets(step)):
        onward = _onward(dialogue)
        circles = list(_circles(dialogue, onward))
        yield from circles or _lengths(dialogue, onward)
        yield from _unasked(dialogue, onward)


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


def _onward(dialogue: Dialogue) -> dict[str, list[str]]:
    """Step -> where it may lead without a word of his."""
    after = dialogue.following()
    found: dict[str, list[str]] = {}
    for step in dialogue.steps:
        ways = () if isinstance(step, Ask) else (step.then, step.otherwise) if isinstance(step, Fork) else (after[step.id],)
        found[step.id] = [way for way in ways if way]
    return found


def _unasked(dialogue: Dialogue, onward: Mapping[str, list[str]]) -> Iterator[tuple[int, str, str]]:
    """Subscriptions that are come to before anything is asked."""
    first = dialogue.steps[0].id
    seen, stack = {first}, [first]
    while stack:
        new = set(onward[stack.pop()]) - seen
        seen |= new
        stack.extend(new)
    for place, step in enumerate(dialogue.steps):
        if isinstance(step, Subscribe) and step.id in seen:
            yield place, "subscribe", "ask him before: the question and his answer are what proves it"


def _circles(dialogue: Dialogue, onward: Mapping[str, list[str]]) -> Iterator[tuple[int, str, str]]:
    """Steps that come back to themselves without a question between: a dialogue must end or wait."""
    for place, step in enumerate(dialogue.steps):
        seen: set[str] = set()
        stack = list(onward[step.id])
        while stack:
            name = stack.pop()
            if name == step.id:
                yield place, "next", "it comes back to itself without a question between"
                break
            if name not in seen:
                seen.add(name)
                stack.extend(onward[name])


def _lengths(dialogue: Dialogue, onward: Mapping[str, list[str]]) -> Iterator[tuple[int, str, str]]:
    """Steps from which more is said at once than a message takes, where the next ones alone would fit. There are no circles."""
    own = {
        step.id: len(step.say if isinstance(step, Say) else step.ask) + 2 for step in dialogue.steps if isinstance(step, Say | Ask)
    }
    long: dict[str, int] = {}
    waiting = [step.id for step in dialogue.steps]
    while waiting:
        name = waiting.pop()
        unknown = [way for way in onward[name] if way not in long]
        if unknown:
            waiting += [name, *unknown]
        else:
            long[name] = own.get(name, 0) + max((long[way] for way in onward[name]), default=0)
    for place, step in enumerate(dialogue.steps):
        if long[step.id] > MOST_CHARS >= max((long[way] for way in onward[step.id]), default=0):
            yield place, "say", f"with what follows it more than {MOST_CHARS} characters are said at once: ask something between"
