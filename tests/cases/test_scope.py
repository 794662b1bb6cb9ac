"""Every row that is to be shown by now is claimed by a test of this folder, which runs through the public interfaces."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import pytest_collection_modifyitems

ROWS = frozenset(
    ("C1", "C2", "C3", "C4", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "J1", "J2", "O1", "R1", "R2", "R3", "R4", "R5")
)


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
