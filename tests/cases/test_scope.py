"""Every row that is to be shown by now is claimed by a test of this folder, which runs through the public interfaces."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import pytest_collection_modifyitems

ROWS = frozenset(
    (*(f"A{n}" for n in range(1, 11)), "C1", "C2", "C3", "C4", *(f"G{n}" for n in range(1, 9)), "J1", "J2", "M3", "O1", *(f"R{n}" for n in range(1, 6)))
)  # fmt: skip


def claimed(source: str) -> set[str]:
    """The ids in `pytest.mark.case(...)`."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    marks = [call for call in calls if ast.unparse(call.func) == "pytest.mark.case"]
    return {argument.value for mark in marks for argument in mark.args if isinstance(argument, ast.Constant)}


def test_no_row_is_without_a_test():
    found = set().union(*(claimed(file.read_text(encoding="utf-8")) for file in Path(__file__).parent.glob("test_*.py")))
    assert found >= ROWS, f"nobody shows {sorted(ROWS - found)}"


def item(*fixtures: str, mark: bool = True) -> SimpleNamespace:
    """A test as pytest collects it."""
    return SimpleNamespace(nodeid="test_x.py::test_x", fixturenames=fixtures, get_closest_marker=lambda _name: mark or None)


def test_a_claim_needs_the_whole_installation():
    pytest_collection_modifyitems([item("shop", "installation"), item("kafka", "postgres", mark=False)])
    with pytest.raises(pytest.UsageError, match=r"test_x.py::test_x claims a case .* `installation`"):
        pytest_collection_modifyitems([item("kafka", "postgres", "database")])
