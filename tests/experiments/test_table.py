"""Every figure against a source that is not ours."""

import pytest

from tests.experiments.table import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_figure_is_what_its_source_says(case):
    found = tuple(case.found())
    assert len(found) == len(case.expected)
    for one, expected in zip(found, case.expected, strict=True):
        if expected is None:
            assert one is None
        else:
            assert one == pytest.approx(expected, rel=case.relative, abs=case.absolute), case.source


def test_there_are_cases_enough_and_each_names_its_source():
    assert len(CASES) >= 60
    assert all(case.source for case in CASES)
    assert len({case.what for case in CASES}) == len(CASES)
