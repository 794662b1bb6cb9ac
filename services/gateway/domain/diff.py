"""What differs between two versions of a journey: structured, and in words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.audience_reading import AudienceError, parse
from schemas.audience_text import Language, Titles, sentence
from schemas.journeys import Journey

LONGEST = 200  # characters of a value in a sentence


class Change(NamedTuple):
    """A field that differs; None: it is not there."""

    field: str
    before: Any
    after: Any

    def told(self) -> dict[str, Any]:
        return {"field": self.field, "from": self.before, "to": self.after}


class Diff(NamedTuple):
    """document: fields beside the steps; changed: step -> its fields. `leads_to` is one of them where only the order of the list moved it."""

    document: list[Change]
    added: list[dict[str, Any]]
    removed: list[dict[str, Any]]
    changed: dict[str, list[Change]]

    def told(self, language: Language, titles: Titles) -> dict[str, Any]:
        return {
            "same": not (self.document or self.added or self.removed or self.changed),
            "document": [change.told() for change in self.document],
            "steps": {
                "added": self.added,
                "removed": self.removed,
                "changed": [{"step": step, "fields": [c.told() for c in changes]} for step, changes in self.changed.items()],
            },
            "text": list(self.lines(language, titles)),
        }

    def lines(self, language: Language, titles: Titles) -> Iterator[str]:
        """A sentence for each difference."""
        words = WORDS[language]

        def say(value: Any) -> str:
            return _said(value, language, titles)

        yield from (words["document"].format(c.field, say(c.before), say(c.after)) for c in self.document)
        yield from (words["removed"].format(step["id"], say(_without_id(step))) for step in self.removed)
        yield from (words["added"].format(step["id"], say(_without_id(step))) for step in self.added)
        for step, changes in self.changed.items():
            yield from (words["changed"].format(step, c.field, say(c.before), say(c.after)) for c in changes)


WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "document": "`{}`: {} → {}",
        "added": "Step `{}` is added: {}",
        "removed": "Step `{}` is removed: {}",
        "changed": "Step `{}`, `{}`: {} → {}",
        "nothing": "nothing",
    },
    "ru": {
        "document": "`{}`: {} → {}",
        "added": "Добавлен шаг `{}`: {}",
        "removed": "Убран шаг `{}`: {}",
        "changed": "Шаг `{}`, `{}`: {} → {}",
        "nothing": "ничего",
    },
}


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> Diff:
    """Of two bodies that can be read as journeys."""
    old, new = _steps(before), _steps(after)
    ways = [Journey.model_validate(body).leads() for body in (before, after)]
    both = [step for step in new if step in old]
    changed = {step: found for step in both if (found := _changes(old[step], new[step]))}
    for step in both:
        if step not in changed and ways[0][step] != ways[1][step]:
            changed[step] = [Change("leads_to", ways[0][step], ways[1][step])]
    return Diff(
        _changes({k: v for k, v in before.items() if k != "steps"}, {k: v for k, v in after.items() if k != "steps"}),
        [new[step] for step in new if step not in old],
        [old[step] for step in old if step not in new],
        {step: changed[step] for step in both if step in changed},
    )


def _steps(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["id"]: step for step in body["steps"]}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    names = [*before, *(name for name in after if name not in before)]
    return [Change(n, before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)]


def _without_id(step: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != "id"}


def _said(value: Any, language: Language, titles: Titles) -> str:
    """Conditions in words, everything else as it is written."""
    if value is None:
        return WORDS[language]["nothing"]
    if isinstance(value, dict) and "kind" in value:
        try:
            return f"“{sentence(parse(value), language, titles)}”"
        except AudienceError:
            pass
    if isinstance(value, dict):
        text = ", ".join(f"{name}: {_said(inner, language, titles)}" for name, inner in value.items())
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
