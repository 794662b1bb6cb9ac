"""Dialogues of bots: what somebody's word, press or start does. One message of ours at most answers one of his, and waits for no cap.

What follows from it (answers, attributes, consents, events) leaves as facts about him, and comes back like any other.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from schemas.bots import BUTTON, MENU, STARTED, Press, pressed
from schemas.dialogues import Ask, plain
from schemas.facts import Fact
from schemas.identifiers import normalise
from services.orchestrator.domain import speaking
from services.orchestrator.domain.homes import home_of
from services.orchestrator.domain.scripts import Lines, Script
from services.orchestrator.domain.speaking import Cue
from services.orchestrator.domain.state import Talk, replace
from services.orchestrator.domain.turn import Moment, Turn

MOST_CHARS = 1000  # of an answer in words
TWICE_MS = 60_000  # a button pressed again within it was pressed twice, and means nothing
GIVEN = "given"  # stands for an address: those are kept by the services that use them


class Answer(NamedTuple):
    """What an answer comes to. value None: he goes on without one. address: an identifier; label: the words that he chose."""

    value: str | None
    points: int = 0
    to: str | None = None
    address: str = ""
    label: str = ""


def hear(turn: Turn, fact: Fact, moment: Moment) -> None:
    """A fact that a bot answers to. Only what came in by its own way counts: anybody who has a write key may use its events' names, and
    what a dialogue itself tells, which is `about` somebody, is no word of his.
    """
    script = turn.book.bots.get(str(fact.properties.get("bot")))
    if script is None or fact.source != script.bot.told_by() or fact.about is not None:
        return
    talk = _waiting(turn, script, moment)
    if fact.event == STARTED:
        word = str(fact.properties.get("word", ""))
        _begin_or_menu(turn, script, word if word in script.dialogues else script.bot.start, Cue(fact), moment)
    elif fact.event == BUTTON:
        _on_press(turn, script, talk, fact, moment)
    else:
        _on_words(turn, script, talk, fact, moment)


def joined(turn: Turn, loser: Iterable[Talk], moment: Moment) -> None:
    """Two people are one: of two dialogues with one bot one goes on, that which waits for an answer; of two of these the one that moved
    last, and if they moved at once, the further one.
    """
    kept: dict[str, Talk] = {}
    for talk in sorted([*turn.person.talks, *loser], key=lambda t: (not t.step, -t.at, -len(t.answers), t.run)):
        stays = kept.setdefault(talk.bot, talk)
        if stays is not talk and talk.step:
            speaking.tell(turn, talk, "left", moment, "merged")
    turn.person.talks = sorted(kept.values(), key=lambda talk: talk.bot)


def _waiting(turn: Turn, script: Script, moment: Moment) -> Talk | None:
    """The dialogue whose question waits for him, if it is not forgotten by now. It goes on in the version in which it began."""
    talk = turn.talk(script.bot.key)
    if talk is None or not talk.step:
        return None
    lines = _lines_of(turn, talk)
    if lines is not None and isinstance(lines.steps.get(talk.step), Ask) and moment.now - talk.at <= lines.expires:
        return talk
    _leave(turn, talk, moment, "expired" if lines is not None else "no_version")
    return None


def _lines_of(turn: Turn, talk: Talk) -> Lines | None:
    script = turn.book.scripts.get((talk.bot, talk.version))
    return script.dialogues.get(talk.dialogue) if script else None


def _on_press(turn: Turn, script: Script, talk: Talk | None, fact: Fact, moment: Moment) -> None:
    press = pressed(fact.properties.get("pressed"))
    if press is not None and press.start:
        _begin_or_menu(turn, script, press.start if press.start in script.dialogues else None, Cue(fact), moment)
    elif press is not None and talk is not None and _is_asked(talk, press):
        _answer(turn, talk, _chosen(turn, talk, press.option), fact, moment)
    elif talk is None and not (press is not None and _just_answered(turn, script, press, moment)):
        _show_menu(turn, script, fact, moment)
    # A button of a question that he has answered, pressed once more, says nothing new.


def _is_asked(talk: Talk, press: Press) -> bool:
    return (press.dialogue, press.step) == (talk.dialogue, talk.step) and talk.run.startswith(press.run)


def _just_answered(turn: Turn, script: Script, press: Press, moment: Moment) -> bool:
    over = turn.talk(script.bot.key)
    return over is not None and over.run.startswith(press.run) and moment.now - over.at <= TWICE_MS


def _on_words(turn: Turn, script: Script, talk: Talk | None, fact: Fact, moment: Moment) -> None:
    """A command goes before an answer, an answer before the other words that begin something."""
    written = str(fact.properties.get("written", ""))
    word = plain(written)
    begins = script.words.get(word)
    if word == "/menu" or (begins is None and talk is None):
        _show_menu(turn, script, fact, moment)
    elif begins is not None and (talk is None or word.startswith("/")):
        _begin_or_menu(turn, script, begins, Cue(fact), moment)
    elif talk is not None:
        _answer(turn, talk, _written(turn, talk, written), fact, moment)


def _chosen(turn: Turn, talk: Talk, option: int | None) -> Answer | None:
    """By a button. None: there is no such answer."""
    ask = _ask_of(turn, talk)
    if option is None:
        return Answer(None, to=ask.otherwise) if ask.skip else None
    if option >= len(ask.options):
        return None
    chosen = ask.options[option]
    return Answer(chosen.told(), ask.points + chosen.points, chosen.next, label=chosen.text)


def _written(turn: Turn, talk: Talk, written: str) -> Answer | None:
    """In words. None: it is no answer to this question."""
    ask, word = _ask_of(turn, talk), plain(written)
    if ask.skip and word == plain(ask.skip):
        return Answer(None, to=ask.otherwise)
    if ask.kind == "choice":
        found = next((n for n, option in enumerate(ask.options) if word == plain(option.text)), None)
        return _chosen(turn, talk, found) if found is not None else None
    if ask.kind == "text":
        return Answer(written[:MOST_CHARS], ask.points, label=written[:MOST_CHARS]) if word else None
    address = normalise(ask.kind, written.strip(), ask.region)
    return Answer(GIVEN, ask.points, address=f"{ask.kind}:{address}", label=GIVEN) if address is not None else None


def _ask_of(turn: Turn, talk: Talk) -> Ask:
    lines = _lines_of(turn, talk)
    ask = lines.steps[talk.step] if lines else None
    if not isinstance(ask, Ask):
        raise TypeError(f"{talk.bot}@{talk.version}: {talk.dialogue}.{talk.step} is no question")  # `_waiting` has looked
    return ask


def _answer(turn: Turn, talk: Talk, answer: Answer | None, fact: Fact, moment: Moment) -> None:
    script, ask = turn.book.scripts[talk.bot, talk.version], _ask_of(turn, talk)
    lines = script.dialogues[talk.dialogue]
    label = answer.label if answer else ""
    cue = Cue(fact, f"{lines.key}.{ask.id}", GIVEN if ask.private and label else label)
    if answer is None and talk.tries < ask.repeats:
        turn.keep(replace(talk, tries=talk.tries + 1, at=moment.now))
        speaking.ask_again(turn, script, talk, cue, moment)
        return
    answer = answer or Answer(None, to=ask.otherwise)
    if answer.value is not None:
        talk = replace(talk, answers={**talk.answers, ask.id: (answer.value, answer.points)})
        told = GIVEN if ask.private else answer.value
        more: dict[str, Any] = {"survey": lines.survey, "question": ask.id, "answer": told, "points": answer.points}
        speaking.note(turn, script, talk, cue, moment, "answered", event="Survey Answered", properties=more)
        if answer.address:
            speaking.note(turn, script, talk, cue, moment, "address", identifiers=(answer.address,))
    speaking.walk(turn, script, talk, answer.to or lines.following[ask.id], cue, moment)


def _begin_or_menu(turn: Turn, script: Script, dialogue: str | None, cue: Cue, moment: Moment) -> None:
    """Whoever begins something leaves what he was in."""
    if dialogue is None:
        _show_menu(turn, script, cue.fact, moment)
        return
    _leave(turn, turn.talk(script.bot.key), moment, "another")
    lines = script.dialogues[dialogue]
    talk = Talk(script.bot.key, script.version, dialogue, cue.fact.id, script.bot.brand, at=moment.now, home=home_of(cue.fact))
    speaking.tell(turn, talk, "entered", moment)
    speaking.walk(turn, script, talk, lines.first, cue, moment)


def _show_menu(turn: Turn, script: Script, fact: Fact, moment: Moment) -> None:
    _leave(turn, turn.talk(script.bot.key), moment, "menu")
    speaking.reply(turn, script, Talk(script.bot.key, script.version, "", fact.id, script.bot.brand), [MENU], fact, moment)


def _leave(turn: Turn, talk: Talk | None, moment: Moment, rule: str) -> None:
    if talk is not None and talk.step:
        speaking.tell(turn, talk, "left", moment, rule)
        turn.keep(replace(talk, step=""))
