"""Liquid that cannot run away: a render counts its operations and stops, however the template is written.

The library's own limits do not count siblings of nested loops, ranges given to filters, or strings that filters multiply; this does.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from liquid import BoundTemplate, RenderContext
from liquid.exceptions import FilterError, LiquidError, LoopIterationLimitError, ResourceLimitError
from liquid.token import Token
from liquid.undefined import Undefined
from liquid.utils import ReadOnlyChainMap


class OperationLimitError(ResourceLimitError):
    """The render's budget of operations is spent."""


class ValueSizeError(ResourceLimitError):
    """A value grew beyond what a letter can need."""


@dataclass(frozen=True, slots=True)
class Limits:
    """operations: about one per tag, value and 16 characters of a loop's body: 200,000 end within half a second on one core.
    output: bytes of one rendered part. value: characters of one value, or 64 times its items. number: absolute value of an integer.
    """

    operations: int = 200_000
    iterations: int = 10_000
    output: int = 1_000_000
    value: int = 256_000
    items: int = 10_000
    number: int = 10**18
    source: int = 500_000


LIMITS = Limits()


@dataclass(slots=True)
class Meter:
    """What one render has spent, and the names it found missing."""

    operations: int = 0
    iterations: int = 0
    weight: int = 1
    missing: set[str] = field(default_factory=set)

    def charge(self, operations: int) -> None:
        self.operations += operations
        if self.operations > LIMITS.operations:
            raise OperationLimitError("the template does too much work", token=None)


class Missing(Undefined):
    """A variable that is not there: printed as nothing, and reported when something was to be printed or walked through.

    `{{ name | default: "friend" }}` and `{% if name %}` ask whether it is there, so they are not reported.
    """

    __slots__ = ("_meter",)

    def __init__(self, name: str, meter: Meter, token: Token | None) -> None:
        super().__init__(name, token=token)
        self._meter = meter

    def __str__(self) -> str:
        self._meter.missing.add(self.name)
        return ""

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Undefined) or other is None


class LimitedContext(RenderContext):
    """Counts, and has no clock: `now` and `today` are variables like any other."""

    def __init__(self, template: BoundTemplate, **kwargs: Any) -> None:
        super().__init__(template, **kwargs)
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)
        parent = self.parent_context
        self.meter: Meter = parent.meter if isinstance(parent, LimitedContext) else Meter()

    def get(self, path: list[object], *, token: Token | None, **kwargs: Any) -> object:
        found = super().get(path, token=token, **kwargs)
        if isinstance(found, Undefined):
            self.meter.charge(1)
            return Missing(".".join(map(str, path)), self.meter, token)
        self.meter.charge(1 + (len(found) >> 6 if isinstance(found, (str, list, dict)) else 0))
        return found

    @contextmanager
    def extend(self, namespace: Mapping[str, object], template: BoundTemplate | None = None) -> Iterator[RenderContext]:
        self.meter.charge(1)
        with super().extend(namespace, template) as extended:
            yield extended

    def copy(self, *args: Any, **kwargs: Any) -> RenderContext:
        self.meter.charge(10)
        copied: RenderContext = super().copy(*args, **kwargs)
        return copied

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Called when a loop begins: all its iterations are paid in advance, by the length of its body."""
        meter = self.meter
        meter.iterations += length
        if meter.iterations > LIMITS.iterations:
            raise LoopIterationLimitError(f"more than {LIMITS.iterations} loop iterations", token=None)
        meter.charge(length * meter.weight)
        meter.weight = 1

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        return partial(_guarded, self.meter, name, super().filter(name, token), token)


class LimitedTemplate(BoundTemplate):
    context_class = LimitedContext


def _guarded(meter: Meter, name: str, function: Callable[..., object], token: Token | None, *args: Any, **kwargs: Any) -> object:
    """One filter call: paid by its input, refused before it can multiply, measured after."""
    value = args[0]
    meter.charge(1 + _filter_cost(name, value))
    if name in {"replace", "join"} and _multiplied(name, args) > LIMITS.value:
        raise ValueSizeError(f"{name}: the result would be too large", token=token)
    try:
        result = function(*args, **kwargs)
    except (ValueError, ArithmeticError, KeyError, AttributeError, IndexError) as error:
        raise FilterError(f"{name}: cannot work on this value", token=token) from error
    if _size(result, LIMITS.value) > LIMITS.value:
        raise ValueSizeError(f"{name}: the result is too large", token=token)
    return result


def _filter_cost(name: str, value: object) -> int:
    if isinstance(value, str):
        return len(value) >> 6
    if isinstance(value, (list, tuple)):
        return len(value) ** 2 >> 3 if name == "uniq" else len(value)
    return 0


def _multiplied(name: str, args: tuple[Any, ...]) -> int:
    """Characters that `replace` or `join` would make."""
    value, rest = args[0], [str(argument) for argument in args[1:]]
    if name == "join":
        items = value if isinstance(value, (list, tuple)) else [value]
        return sum(_size(item, LIMITS.value) for item in items) + len(items) * len(rest[0] if rest else " ")
    text, old, new = str(value), rest[0] if rest else "", rest[1] if len(rest) > 1 else ""
    return len(text) + text.count(old) * len(new)


def _size(value: object, cap: int) -> int:
    """Characters when printed, nested lists included; stops counting at `cap` (a list may hold itself many times over)."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        return 20 if abs(value) <= LIMITS.number else cap + 1
    if isinstance(value, (list, tuple)):
        total = 0 if len(value) <= LIMITS.items else cap + 1
        for item in value:
            total += 1 + _size(item, cap)
            if total > cap:
                break
        return total
    if isinstance(value, dict):
        return _size(list(value.values()), cap)
    return 64


def line_of(error: LiquidError) -> int | None:
    """The line in the source, from 1; None if unknown."""
    try:
        context = error.context()
    except ValueError:
        return None
    return context[0] if context else None
