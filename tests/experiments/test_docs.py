"""docs/experiments.md tells the truth: its examples are requests, and their answers say what it quotes."""

import json
import re
from pathlib import Path

from tests.experiments.asked import evaluated, planned

PAGE = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_the_example_is_answered_as_it_says():
    asked, plan = EXAMPLES
    answer = evaluated(asked)
    assert answer.verdict == "more"
    assert f'"{plain(answer.text.en)}" / "{plain(answer.text.ru)}"' in PAGE
    assert f'"{plain(planned(**plan).text.en)}"' in PAGE
