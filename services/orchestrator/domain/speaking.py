"""A dialogue's way from one answer to the next question: the steps between, the message that they make, and the facts that they tell."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.bots import AGAIN, IDENTIFIER, MENU
from schemas.dialogues import Ask, Finish, Fork, Note, Raise, Say, Step, Subscribe, Taken, Test, Unsubscribe, Value
from schemas.facts import Fact
from schemas.ids import derive
from schemas.messages import Decision, Intent, Verdict, intent_id
from services.orchestrator.domain.scripts import Lines, Script
from services.orchestrator.domain.state import Talk, replace
from services.orchestrator.domain.turn import Moment, Turn

REPLY_MS = 3_600_000  # an answer that is an hour late is worth nothing


class Cue(NamedTuple):
    """What he did. shown: the name of the question that he answered; said: the words that he chose, of private ones that they were given.
    Without them he agreed to nothing.
    """

    fact: Fact
    shown: str = ""
    said: str = ""


def walk(turn: Turn, script: Script, talk: Talk, to: str | None, cue: Cue, moment: Moment) -> None:
    """Take steps until a question waits or there are none; then say all of it in one message, or show the menu if it is nothing."""
    lines = script.dialogues[talk.dialogue]
    parts: list[str] = []
    seen: set[str] = set()
    result = ""
    while to is not None and to not in seen:
        seen.add(to)
        step = lines.steps[to]
        if isinstance(step, Say | Ask):
            parts.append(f"{lines.key}.{step.id}")
        if isinstance(step, Ask):
            talk = replace(talk, step=step.id, tries=0, at=moment.now)
            turn.keep(talk)
            reply(turn, script, talk, parts, cue.fact, moment)
            return
        if isinstance(step, Finish):
            result, to = step.result, None
        elif isinstance(step, Fork):
            to = step.then if _holds(step.test, talk) else step.otherwise
        else:
            _do(turn, script, talk, step, cue, moment)
            to = lines.following[step.id]
    _end(turn, script, lines, talk, result, cue, moment)
    reply(turn, script, talk, parts or [MENU], cue.fact, moment)


def ask_again(turn: Turn, script: Script, talk: Talk, cue: Cue, moment: Moment) -> None:
    reply(turn, script, talk, [cue.shown + AGAIN, cue.shown], cue.fact, moment)


def reply(turn: Turn, script: Script, talk: Talk, parts: Sequence[str], fact: Fact, moment: Moment) -> None:
    """One message for one of his, so its key is that one's id."""
    bot, step = script.bot, parts[-1]
    key = intent_id(script.document, script.version, step, turn.profile, fact.id)
    answers = {question: value for question, (value, _) in talk.answers.items()}
    turn.emit(
        Intent(
            id=key,
            brand=bot.brand,
            profile=turn.profile,
            channel=bot.channel,
            message_class="service",
            template=script.document,
            template_version=script.version,
            document=script.document,
            version=script.version,
            step=step,
            occurrence=fact.id,
            not_after=moment.now + REPLY_MS,
            received_at=moment.now,
            data={"bot": {"parts": list(parts), "run": talk.run, "points": talk.points, "answers": answers}},
            cause=moment.cause,
        )
    )
    tell(turn, talk, "sent", moment, step=step, intent=key, channel=bot.channel, message_class="service", occurrence=fact.id)


def note(turn: Turn, script: Script, talk: Talk, cue: Cue, moment: Moment, name: str, **said: Any) -> None:
    """A fact about him. name: what tells it from others that the same word of his causes; said: identifiers, attributes or an event."""
    bot = script.bot
    if event := said.get("event"):
        said["properties"] = {**said.get("properties", {}), "run": talk.run, "bot": bot.key, "dialogue": talk.dialogue}
    turn.emit(
        Fact(
            id=derive(cue.fact.id, bot.key, name),
            type="track" if event else "identify",
            brand=bot.brand,
            source=bot.told_by(),
            occurred_at=cue.fact.occurred_at,
            received_at=moment.now,
            about=turn.profile,
            cause=cue.fact.id,
            **said,
        )
    )


def tell(turn: Turn, talk: Talk, verdict: Verdict, moment: Moment, rule: str = "", **more: Any) -> None:
    """A verdict about a dialogue. occurrence: what began it, or of a message what it answers."""
    document = f"bot:{talk.bot}"
    step = more.pop("step", ".".join(filter(None, (talk.dialogue, talk.step))))
    occurrence = more.pop("occurrence", talk.run)
    key = (document, talk.version, step, occurrence, verdict, rule, moment.cause, moment.now)
    turn.emit(
        Decision(
            id=derive("decision", *key),
            brand=talk.brand,
            profile=turn.profile,
            verdict=verdict,
            by="orchestrator",
            received_at=moment.now,
            document=document,
            version=talk.version,
            step=step,
            occurrence=occurrence,
            rule=rule,
            cause=moment.cause,
            **more,
        )
    )


def _end(turn: Turn, script: Script, lines: Lines, talk: Talk, result: str, cue: Cue, moment: Moment) -> None:
    turn.keep(replace(talk, step="", at=moment.now))
    tell(turn, replace(talk, step=""), "left", moment, "end")
    if lines.asks:
        said: dict[str, Any] = {"survey": lines.survey, "points": talk.points, **({"result": result} if result else {})}
        note(turn, script, talk, cue, moment, "completed", event="Survey Completed", properties=said)


def _do(turn: Turn, script: Script, talk: Talk, step: Step, cue: Cue, moment: Moment) -> None:
    match step:
        case Note():
            note(turn, script, talk, cue, moment, f"{step.id}:set", attributes=_values(step.set, talk))
        case Raise():
            said = _values(step.properties, talk)
            note(turn, script, talk, cue, moment, f"{step.id}:raise", event=step.event, properties=said)
        case Subscribe():
            _consent(turn, script, talk, step, step.subscribe, cue, moment)
        case Unsubscribe():
            _consent(turn, script, talk, step, step.unsubscribe, cue, moment)


def _consent(turn: Turn, script: Script, talk: Talk, step: Subscribe | Unsubscribe, topic: str, cue: Cue, moment: Moment) -> None:
    """A word of consent for each channel, with the chat, what he was asked there and what he chose. A yes needs an answer; a no does not."""
    if isinstance(step, Subscribe) and not cue.said:
        return
    bot, wording = script.bot, script.texts.get(cue.shown, "")
    evidence = {
        "bot": bot.key, "version": script.version, "dialogue": talk.dialogue, "step": step.id,
        "question": cue.shown, "wording": wording, "chosen": cue.said, "fact": cue.fact.id,
    }  # fmt: skip
    for channel in step.channels or (bot.channel,):
        said = {
            "channel": channel,
            "topic": topic,
            "text_id": f"bot:{bot.key}@{script.version}/{cue.shown}",
            "text_sha256": hashlib.sha256(wording.encode()).hexdigest(),
            "language": bot.language,
            "evidence": evidence,
        }
        event = "Consent Granted" if isinstance(step, Subscribe) else "Consent Withdrawn"
        chat = tuple(name for name in cue.fact.identifiers if name.startswith(IDENTIFIER[bot.channel]))
        note(turn, script, talk, cue, moment, f"{step.id}:{channel}", event=event, properties=said, identifiers=chat)


def _holds(test: Test, talk: Talk) -> bool:
    if test.answer is not None:
        return test.answer in talk.answers and talk.answers[test.answer][0] in test.among
    points = talk.points
    return (test.at_least is None or points >= test.at_least) and (test.below is None or points < test.below)


def _values(values: Mapping[str, Value], talk: Talk) -> dict[str, Any]:
    """What was not answered is left out."""
    found = {name: _taken(value, talk) if isinstance(value, Taken) else value for name, value in values.items()}
    return {name: value for name, value in found.items() if value is not None}


def _taken(value: Taken, talk: Talk) -> Any:
    if value.take == "points":
        return talk.points
    return talk.answers.get(value.take.removeprefix("answers."), (None, 0))[0]
