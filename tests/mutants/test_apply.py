"""Every rule that is broken on purpose still stands where its mutant looks for it: whether its tests notice is `make mutants`."""

import pytest

from deploy.local.settings import ROOT
from tests.audience import mutants as audience
from tests.experiments import mutants as experiments
from tests.mutants import mutants as loop
from tests.mutants.of_rules import OF_RULES
from tests.segmenter.unit import mutants as segmenter

EVERY = [*audience.MUTANTS, *experiments.MUTANTS, *loop.MUTANTS, *OF_RULES]
BROKEN = [(one.file, one.name, one.old) for one in EVERY]
BROKEN += [(file, name, old) for mutants in segmenter.LAWS.values() for name, file, old, *_ in mutants]


@pytest.mark.parametrize(("file", "name", "old"), BROKEN, ids=[f"{file}: {name}" for file, name, _ in BROKEN])
def test_what_a_mutant_breaks_stands_there_once(file: str, name: str, old: str) -> None:
    assert (ROOT / file).read_text(encoding="utf-8").count(old) == 1, name


@pytest.mark.parametrize("test", sorted({test.partition("::")[0] for one in EVERY for test in one.tests}))
def test_the_tests_of_mutants_are_there(test: str) -> None:
    assert (ROOT / test).exists()
