"""Marketers' templates: compiled once per version, rendered per person, and unable to take the process down."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from liquid import BoundTemplate, CachingDictLoader
from liquid.exceptions import (
    BlockNestingError,
    ContextDepthError,
    LiquidError,
    LiquidSyntaxError,
    LocalNamespaceLimitError,
    LoopIterationLimitError,
    OutputStreamLimitError,
    TemplateNotFoundError,
    UnknownFilterError,
)
from liquid.output import LimitedStringIO

from .liquid_filters import register
from .liquid_limits import LIMITS, LimitedContext, OperationLimitError, ValueSizeError, line_of
from .liquid_loops import LimitedEnvironment, refuse_ranges_outside_loops
from .markup import text_of_html

_CODES: tuple[tuple[type[LiquidError], str], ...] = (
    (LoopIterationLimitError, "too_many_iterations"),
    (OperationLimitError, "too_many_operations"),
    (OutputStreamLimitError, "output_too_large"),
    (LocalNamespaceLimitError, "value_too_large"),
    (ValueSizeError, "value_too_large"),
    (ContextDepthError, "too_deep"),
    (BlockNestingError, "too_deep"),
    (UnknownFilterError, "unknown_filter"),
    (TemplateNotFoundError, "no_such_block"),
    (LiquidSyntaxError, "syntax"),
)


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """What is wrong, in words for the author; line from 1, part: subject, text or html."""

    code: str
    message: str
    line: int | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """One version of a template document, of any channel. text: None derives it from the HTML. blocks: for `{% render "footer" %}`."""

    key: str
    version: int
    subject: str = ""
    text: str | None = None
    html: str | None = None
    blocks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """Ready to be rendered. A part that the source does not have is None."""

    key: str
    version: int
    subject: BoundTemplate | None
    text: BoundTemplate | None
    html: BoundTemplate | None


@dataclass(frozen=True, slots=True)
class Parts:
    """missing: variables that were to be printed and are not there, in alphabetical order."""

    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str | None = field(repr=False)
    missing: tuple[str, ...] = ()


def compile_template(source: TemplateSource) -> Template | TemplateFault:
    """Fails on the first fault: syntax, an unknown filter or tag, a subject of two lines, a source over 500 KB."""
    text = text_of_html(source.html) if source.text is None and source.html is not None else source.text
    parts: dict[str, BoundTemplate | None] = {}
    for part, wanted in (("subject", source.subject or None), ("html", source.html), ("text", text)):
        blocks = source.blocks
        if part == "text" and source.text is None:  # what was made of the HTML renders blocks that were written for it
            blocks = {name: text_of_html(block) for name, block in blocks.items()}
        compiled = _compile(part, wanted, blocks) if wanted is not None else None
        if isinstance(compiled, TemplateFault):
            return compiled
        parts[part] = compiled
    return Template(source.key, source.version, parts["subject"], parts["text"], parts["html"])


def render(template: Template, variables: Mapping[str, Any]) -> Parts | TemplateFault:
    """Pure: the same template and variables (plain data) give the same parts. `language`, `timezone` and `now` guide the filters."""
    missing: set[str] = set()
    rendered: dict[str, str | None] = {}
    for part in ("subject", "html", "text"):
        bound: BoundTemplate | None = getattr(template, part)
        if bound is None:
            rendered[part] = None
            continue
        result = _render(part, bound, variables, missing)
        if isinstance(result, TemplateFault):
            return result
        rendered[part] = result
    subject = " ".join((rendered["subject"] or "").split())  # a customer's name with a line break must not make two headers
    if template.subject is not None and not subject:
        return TemplateFault("subject_empty", "the subject is empty for this person", part="subject")
    return Parts(subject, rendered["text"] or "", rendered["html"], tuple(sorted(missing)))


def variables_of(template: Template) -> tuple[str, ...]:
    """Paths of all variables that must come from outside, such as "profile.name", in alphabetical order."""
    found: set[str] = set()
    for bound in (template.subject, template.text, template.html):
        if bound is not None:
            found.update(str(variable) for uses in bound.analyze().globals.values() for variable in uses)
    return tuple(sorted(found))


class TemplateCache:
    """Compiled templates by (key, version); the least recently used goes first."""

    def __init__(self, size: int = 500) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, int], Template] = OrderedDict()

    def get(self, source: TemplateSource) -> Template | TemplateFault:
        """The compiled version; a fault is not kept, as it is not published either."""
        name = (source.key, source.version)
        kept = self._kept.get(name)
        if kept is not None:
            self._kept.move_to_end(name)
            return kept
        compiled = compile_template(source)
        if isinstance(compiled, Template):
            self._kept[name] = compiled
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return compiled


def _environment(blocks: Mapping[str, str], *, autoescape: bool) -> LimitedEnvironment:
    environment = LimitedEnvironment(autoescape=autoescape, loader=CachingDictLoader(dict(blocks), auto_reload=False))
    register(environment)
    return environment


def _compile(part: str, source: str, blocks: Mapping[str, str]) -> BoundTemplate | TemplateFault:
    if len(source) + sum(map(len, blocks.values())) > LIMITS.source:
        return TemplateFault("source_too_large", f"the template is longer than {LIMITS.source} characters", part=part)
    if part == "subject" and len(source.strip().splitlines()) > 1:
        return TemplateFault("subject_lines", "the subject must be one line", 2, part)
    environment = _environment(blocks, autoescape=part == "html")
    try:
        bound: BoundTemplate = environment.from_string(source)
        refuse_ranges_outside_loops(bound)
        unknown = sorted(set(bound.analyze().filters) - set(environment.filters))
        for name in blocks:
            refuse_ranges_outside_loops(environment.get_template(name))
    except LiquidError as error:
        return _fault(part, error)
    except RecursionError:
        return TemplateFault("too_deep", "the template is nested too deep", part=part)
    if unknown:
        return TemplateFault("unknown_filter", f"there is no filter {unknown[0]}", part=part)
    return bound


def _render(part: str, bound: BoundTemplate, variables: Mapping[str, Any], missing: set[str]) -> str | TemplateFault:
    context = LimitedContext(bound, globals=bound.make_globals(variables))
    buffer = LimitedStringIO(LIMITS.output)
    try:
        bound.render_with_context(context, buffer)
    except LiquidError as error:
        return _fault(part, error)
    except RecursionError:
        return TemplateFault("too_deep", "the template is nested too deep", part=part)
    except (ValueError, TypeError, ArithmeticError, KeyError, AttributeError) as error:
        return TemplateFault("render", f"the template cannot work on these values ({type(error).__name__})", part=part)
    missing.update(context.meter.missing)
    return buffer.getvalue()


def _fault(part: str, error: LiquidError) -> TemplateFault:
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "render")
    return TemplateFault(code, str(error.message or code), line_of(error), part)
