"""Bodies of webhooks: Liquid, or JSON whose texts are Liquid. Rendered under the limits of templates; a value keeps its type."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.webhooks import Body, is_liquid, is_value
from services.sender.content.templates import Template, TemplateFault, TemplateSource, compile_template, render

MOST_BYTES = 256_000
# What events and people say is nested as deep as they like: that is a fault of one call, and may not end the process.
TOO_DEEP = TemplateFault("too_deep", "what is rendered is nested too deep to be JSON")


class _Value(NamedTuple):
    """Taken as it is: the dotted keys that lead to it."""

    path: str


class Compiled(NamedTuple):
    """tree: of dicts, lists, plain values, values to take and templates; json: what is rendered must be JSON."""

    tree: Any
    json: bool


class _FaultError(Exception):
    def __init__(self, fault: TemplateFault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def compile_body(body: Body, content_type: str = "application/json") -> Compiled | TemplateFault:
    """Fails on the first fault of a text."""
    try:
        tree = _template(body) if isinstance(body, str) else _compiled(body)
    except _FaultError as error:
        return error.fault
    return Compiled(tree, "json" in content_type)


def render_body(compiled: Compiled, variables: Mapping[str, Any]) -> str | TemplateFault:
    """Pure. What a path does not find is null."""
    try:
        found = _rendered(compiled.tree, variables)
        text = found if isinstance(compiled.tree, Template) else json.dumps(found, ensure_ascii=False)
        if len(text.encode()) > MOST_BYTES:
            return TemplateFault("output_too_large", f"the body is larger than {MOST_BYTES} bytes")
        if compiled.json and isinstance(compiled.tree, Template):
            json.loads(text)
    except _FaultError as error:
        return error.fault
    except RecursionError:
        return TOO_DEEP
    except ValueError:
        return TemplateFault("not_json", "what is rendered is no JSON: write the body as an object, or quote values by `| json`")
    return text


def _compiled(node: Any) -> Any:
    if is_value(node):
        return _Value(node["data"])
    if isinstance(node, dict):
        return {name: _compiled(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_compiled(value) for value in node]
    return _template(node) if isinstance(node, str) and is_liquid(node) else node


def _template(text: str) -> Template:
    found = compile_template(TemplateSource("body", 0, text=text))
    if isinstance(found, TemplateFault):
        raise _FaultError(found)
    return found


def _rendered(node: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(node, _Value):
        return taken(variables, node.path)
    if isinstance(node, Template):
        parts = render(node, variables)
        if isinstance(parts, TemplateFault):
            raise _FaultError(parts)
        return parts.text
    if isinstance(node, dict):
        return {name: _rendered(value, variables) for name, value in node.items()}
    if isinstance(node, list):
        return [_rendered(value, variables) for value in node]
    return node


def taken(value: Any, path: str) -> Any:
    """What dotted keys lead to, None where they lead to nothing. A name may have dots itself, as attributes of surveys do: the longest is taken."""
    if not isinstance(value, Mapping):
        return None
    names = path.split(".")
    for count in range(len(names), 0, -1):
        name = ".".join(names[:count])
        if name in value:
            return value[name] if count == len(names) else taken(value[name], ".".join(names[count:]))
    return None
