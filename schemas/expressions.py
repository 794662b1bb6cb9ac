"""Expressions of mappings: CEL (https://cel.dev) over `body`, `query` and `item`, by the CEL team's own library.

CEL has no loops but over a list, names nothing that it is not given, and stops after 10,000 iterations. Each expression is compiled when
a document is written and when it is read.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from cel_expr_python import cel

MAX_EXPRESSION = 2_000
NAMES = ("body", "query", "item")
_ENV = cel.NewEnv(variables=dict.fromkeys(NAMES, cel.Type.DYN))
_WITHOUT_ITEM = cel.NewEnv(variables=dict.fromkeys(NAMES[:2], cel.Type.DYN))
# What the library says where a path leads nowhere; anything else is a fault of the expression.
_NOTHING = ("NOT_FOUND: Key not found", "UNKNOWN: Index error", "INVALID_ARGUMENT: Applying SELECT to non-message type")
_OVER_A_LIST = re.compile(r"\.\s*(?:map|filter|all|exists|exists_one)\s*\(")


class Absent(Exception):  # noqa: N818
    """What the expression names is not there."""


class Failed(Exception):  # noqa: N818
    """The expression cannot be worked out. The text is ours: the library's may quote the payload."""


class Scope:
    """What the expressions of one call may name. Values are taken over once, however many expressions ask for them."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        """known: JSON values without nulls, NUL characters and numbers beyond 64 bits, by name; what is not given is {}."""
        self.activation = _ENV.Activation({name: known.get(name, {}) for name in NAMES})


class Program:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        self._program = _ENV.compile(text)

    def value(self, scope: Scope) -> Any:
        """A value of JSON. Raises Absent and Failed."""
        try:
            found = self._program.eval(scope.activation)
        except RuntimeError as error:
            raise Failed("It takes more than 10,000 iterations, or names what no text can hold.") from error
        return _plain(found)


def compiled(text: str) -> Program:
    """Raises ValueError, which says where it is wrong."""
    if not text.strip() or len(text) > MAX_EXPRESSION:
        raise ValueError(f"an expression of 1 to {MAX_EXPRESSION} characters is wanted")
    if _OVER_A_LIST.search(text) and "+" in text:
        raise ValueError("nothing may be put together (+) in an expression that goes over a list, as it could grow without end")
    try:
        return Program(text)
    except RuntimeError as error:
        first = str(error).partition("\n")[0].removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: <input>:")
        raise ValueError(f"not CEL at {first}") from error


def fault_of(text: str) -> str:
    """What is wrong with an expression, "" if nothing is."""
    try:
        compiled(text)
    except ValueError as error:
        return str(error)
    return ""


def names_item(text: str) -> bool:
    """Whether an expression that can be compiled names the entry of a list: without `item` it cannot be."""
    try:
        _WITHOUT_ITEM.compile(text)
    except RuntimeError:
        return True
    return False


def _plain(found: Any) -> Any:
    """Piece by piece, and nulls by their type alone: the library's own way gives `None` away without counting it (0.1.3, Python 3.11)."""
    kind = found.type()
    if kind == cel.Type.NULL:
        return None
    if kind == cel.Type.ERROR:
        raise (
            Absent
            if str(found.value()).startswith(_NOTHING)
            else Failed("It does not fit what is there: a text and a number, say.")
        )
    value = found.value()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    raise Failed("It gives neither text nor number, list nor object.")
