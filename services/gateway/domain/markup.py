"""The syntax of a template's parts and of what a bot says, seen when it is written and not when it is due."""

from collections.abc import Iterator, Mapping

import mrml
from liquid import DictLoader, Environment
from liquid.exceptions import LiquidError

from schemas.bots import Bot
from schemas.dialogues import Ask, Say
from schemas.journeys import Journey
from schemas.telling import Hand, Webhook
from schemas.templates import Template
from schemas.webhooks import Body, Call, texts
from services.gateway.domain.problems import Fault

FILTERS = frozenset({"money", "date", "plural", "json"})  # ours, beside Liquid's own (docs/templates.md)


def faults_of(template: Template) -> list[Fault]:
    """Every fault of every part: Liquid, filters that there are not, MJML, a subject of two lines."""
    found = []
    parts = {name: getattr(template, name) for name in ("subject", "html", "mjml", "text")}
    parts |= {f"blocks.{name}": text for name, text in template.blocks.items()}
    for path, source in parts.items():
        if source:
            found += list(_liquid(path, source, template.blocks))
    if len(template.subject.strip().splitlines()) > 1:
        found.append(Fault("subject", "subject_lines"))
    if template.mjml is not None:
        found += list(_mjml(template.mjml))
    return found


def faults_of_bot(bot: Bot) -> list[Fault]:
    """Every fault of every text: Liquid, and filters that there are not."""
    texts = {"menu.text": bot.menu.text}
    for place, dialogue in enumerate(bot.dialogues):
        for number, step in enumerate(dialogue.steps):
            path = f"dialogues.{place}.steps.{number}"
            if isinstance(step, Say):
                texts[f"{path}.say"] = step.say
            elif isinstance(step, Ask):
                texts |= {f"{path}.ask": step.ask, f"{path}.again": step.again or ""}
    return [fault for path, text in texts.items() for fault in _liquid(path, text, {})]


def faults_of_body(body: Body | None, path: str) -> list[Fault]:
    """Every fault of every text of a webhook's body."""
    return [fault for place, text in texts(body, path) for fault in _liquid(place, text, {})]


def faults_of_journey(journey: Journey) -> list[Fault]:
    """The same of what its steps say to others."""
    found: list[Fault] = []
    for place, step in enumerate(journey.steps):
        if isinstance(step, Webhook):
            found += faults_of_body(step.body, f"steps.{place}.body")
        elif isinstance(step, Hand) and isinstance(step.hand, Call):
            found += faults_of_body(step.hand.body, f"steps.{place}.hand.body")
    return found


def _environment(blocks: Mapping[str, str]) -> Environment:
    environment = Environment(loader=DictLoader(dict(blocks)))
    del environment.tags["include"]  # as at the sender: `render` has its own scope, and is enough
    return environment


def _liquid(path: str, source: str, blocks: Mapping[str, str]) -> Iterator[Fault]:
    environment = _environment(blocks)
    try:
        template = environment.from_string(source)
        used = template.analyze(include_partials=False).filters
        if "render" in source:
            template.analyze()  # a block that there is not
    except LiquidError as error:
        yield Fault(path, "liquid_syntax", _told(error), {"line": _line(error)})
        return
    except RecursionError:
        yield Fault(path, "liquid_syntax", "nested too deep")
        return
    for name in sorted(set(used) - set(environment.filters) - FILTERS):
        yield Fault(path, "liquid_filter", params={"name": name})


def _mjml(source: str) -> Iterator[Fault]:
    try:
        mrml.to_html(source)
    except OSError as error:  # what mrml raises for whatever it cannot parse
        yield Fault("mjml", "mjml_syntax", f"this is not MJML: {error}")


def _line(error: LiquidError) -> int:
    try:
        context = error.context()
    except ValueError:
        return 1
    return int(context[0]) if context else 1


def _told(error: LiquidError) -> str:
    return f"line {_line(error)}: {error.message or 'this is not Liquid'}"
