"""The JSON Schema of a condition as a form builder renders it: titles and descriptions in English and Russian, and hints.

On each kind of node: `title`, `description`, `x-title-ru`, `x-description-ru`, `x-group` (logic, person, events, window, test).
On each field: the same titles, `x-order` (small ones first), `x-widget` (schemas/audience_labels.py lists them) and, where there are fixed choices,
`x-choices`: choice -> {"en", "ru"}. Durations are milliseconds (`x-unit`).
"""

from collections.abc import Mapping
from typing import Any

from schemas.audience import ADAPTER
from schemas.audience_labels import CHOICES, FIELDS, NODES, Field, Text

DURATIONS = frozenset({"duration", "shift"})


def form_schema() -> dict[str, Any]:
    """JSON Schema of a condition. It takes exactly what `schemas.audience_reading.parse` takes, save what fields say of each other."""
    schema: dict[str, Any] = ADAPTER.json_schema()
    for name, node in schema["$defs"].items():
        if name in NODES:
            label = NODES[name]
            node |= _titled(label.title, label.description) | {"x-group": label.group}
        for field, found in node.get("properties", {}).items():
            found |= _of_field(field, _label(name, field))
    return {"title": "Condition", "x-title-ru": "Условие", **schema}


def _label(node: str, field: str) -> Field:
    return FIELDS.get(f"{node}.{field}") or FIELDS[field]


def _of_field(name: str, label: Field) -> dict[str, Any]:
    hints: dict[str, Any] = {**_titled(label.title, label.description), "x-order": label.order, "x-widget": label.widget}
    if label.widget in DURATIONS:
        hints["x-unit"] = "ms"
    choices: Mapping[str, Text] | None = CHOICES.get(label.choices or name)
    if choices is not None:
        hints["x-choices"] = {choice: text._asdict() for choice, text in choices.items()}
    return hints


def _titled(title: Text, description: Text | None) -> dict[str, str]:
    found = {"title": title.en, "x-title-ru": title.ru}
    return found if description is None else {**found, "description": description.en, "x-description-ru": description.ru}
