"""Loops that are paid before they turn, and the environment in which marketers' templates are read."""

from typing import Any, TextIO

from liquid import BoundTemplate, Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import LoopExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.builtin.tags.tablerow_tag import TablerowNode, TablerowTag
from liquid.exceptions import LiquidSyntaxError, LoopIterationLimitError

from .liquid_limits import LIMITS, LimitedContext, LimitedTemplate, Missing


class _CountedLoop:
    """Mixed into loop nodes: checks the range before the library makes a list of it, and says what one turn costs."""

    expression: LoopExpression
    _weight = 0

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        assert isinstance(context, LimitedContext)
        iterable = self.expression.iterable.evaluate(context)
        if isinstance(iterable, Missing):
            context.meter.missing.add(iterable.name)
        if isinstance(iterable, range) and iterable[-1:] and iterable[-1] - iterable[0] >= LIMITS.iterations:
            raise LoopIterationLimitError(f"more than {LIMITS.iterations} loop iterations", token=self.expression.token)
        self._weight = self._weight or 1 + len(str(self)) // 16
        context.meter.weight = self._weight
        rendered: int = super().render_to_output(context, buffer)  # type: ignore[misc]
        return rendered


class CountedForNode(_CountedLoop, ForNode):
    pass


class CountedTablerowNode(_CountedLoop, TablerowNode):
    pass


class CountedForTag(ForTag):
    node_class = CountedForNode


class CountedTablerowTag(TablerowTag):
    node_class = CountedTablerowNode


class LimitedEnvironment(Environment):
    """Filters and tags of marketers' templates. `include` is gone: `render` has its own scope, and is enough."""

    template_class = LimitedTemplate
    context_depth_limit = 12
    block_nesting_limit = 20
    output_stream_limit = LIMITS.output
    local_namespace_limit = 4 * LIMITS.value

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        del self.tags["include"]
        self.add_tag(CountedForTag)
        self.add_tag(CountedTablerowTag)


def refuse_ranges_outside_loops(template: BoundTemplate) -> None:
    """`(1..n)` may stand in `for` alone: elsewhere a filter would make a list of it before anything could stop it."""
    context = LimitedContext(template)

    def walk(node: Node) -> None:
        for expression in node.expressions():
            _check(expression, allowed=isinstance(expression, LoopExpression))
        for child in node.children(context, include_partials=False):
            walk(child)

    for node in template.nodes:
        walk(node)


def _check(expression: Any, *, allowed: bool) -> None:
    for child in expression.children():
        iterable = allowed and child is expression.iterable
        if isinstance(child, RangeLiteral) and not iterable:
            raise LiquidSyntaxError("a range such as (1..5) may stand in a for loop only", token=child.token)
        _check(child, allowed=False)
