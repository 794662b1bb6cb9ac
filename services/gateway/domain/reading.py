"""pydantic's errors as faults: paths of the document, and of a union only the variant that the author meant."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from schemas.steps import STEP_FIELDS
from services.gateway.domain.problems import Fault

# A union's member is known by the field that only it has; pydantic's own errors name every member it tried.
TALK = {
    "Say": "say",
    "Ask": "ask",
    "Fork": "if",
    "Note": "set",
    "Subscribe": "subscribe",
    "Unsubscribe": "unsubscribe",
    "Raise": "raise",
    "Finish": "end",
}
TRIGGERS = {
    "FactTrigger": "event",
    "SegmentTrigger": "segment",
    "DateTrigger": "date",
    "ScheduleTrigger": "schedule",
    "ApiTrigger": "api",
    "DealTrigger": "deal_stage",
    "SurveyTrigger": "survey",
}
HANDS = {"Call": "webhook", "Letter": "template"}
_MEMBERS = {name: variants for variants in (TALK, TRIGGERS, HANDS) for name in variants}
_TAGS = frozenset((*STEP_FIELDS, "Length", "TimeOfDay", "Dated", "Number", "Name"))
_NAMED = re.compile(r"([A-Za-z_][\w.-]*)(?:, [\w.-]+)*: (.+)", re.DOTALL)  # "field: what is wrong", "one, other: ..."


def faults_of(document: Any, error: ValidationError, prefix: str = "") -> list[Fault]:
    """Each fault once. prefix: where the document stands in the request."""
    found: dict[tuple[str, str], Fault] = {}
    for detail in error.errors(include_url=False, include_input=False):
        for fault in _faults(document, dict(detail)):
            path = ".".join(part for part in (prefix, fault.path) if part)
            found.setdefault((path, fault.code), Fault(path, fault.code, fault.message, fault.params))
    return without_echoes(list(found.values()))


def without_echoes(faults: Sequence[Fault]) -> list[Fault]:
    """Without "too short" of a list whose entries are faulty themselves: pydantic counts only the good ones."""
    return [
        fault
        for fault in faults
        if fault.code != "too_short" or not any(other.path.startswith(f"{fault.path}.") for other in faults)
    ]


def _faults(document: Any, detail: Mapping[str, Any]) -> list[Fault]:
    path, missed = _path(document, detail["loc"])
    if missed is not None:
        return [Fault(path, "variant", params={"expected": ", ".join(missed)})] if missed else []
    if detail["type"] == "union_tag_not_found":
        return [
            Fault(path, "variant", params={"expected": ", ".join(field for fields in STEP_FIELDS.values() for field in fields)})
        ]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if detail["type"] == "problems":
        return [Fault(_under(path, field), code, message) for field, code, message in context["problems"]]
    if detail["type"] == "value_error":
        text = str(context["error"])
        named = _NAMED.fullmatch(text)
        return [Fault(_under(path, named[1]), "value", named[2])] if named else [Fault(path, "value", text)]
    return [Fault(path, detail["type"], params=context)]


def _path(document: Any, location: tuple[int | str, ...]) -> tuple[str, tuple[str, ...] | None]:
    """The dotted place. Beside it None, or, when the error is of a union's member: what was expected there if the author meant none,
    () if he meant another one.
    """
    node: Any = document
    steps: list[str] = []
    for step in location:
        variants = _MEMBERS.get(step) if isinstance(step, str) else None
        if variants and not (isinstance(node, dict) and step in node):
            meant = [name for name, field in variants.items() if isinstance(node, dict) and field in node]
            if step not in meant:
                return ".".join(steps), () if meant else tuple(variants.values())
            continue
        if step in _TAGS and not (isinstance(node, dict) and step in node):
            continue
        if isinstance(node, dict) and step == node.get("kind") and step not in node:
            continue
        steps.append(str(step))
        try:
            node = node[step]
        except (LookupError, TypeError):
            node = None
    return ".".join(steps), None


def _under(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field
