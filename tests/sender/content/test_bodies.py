"""Bodies of calls: values as they are."""

import json

from services.sender.content.bodies import Compiled, compile_body, render_body


def test_a_value_may_be_of_a_name_with_dots() -> None:
    """Attributes of surveys are called so; the longest name is taken."""
    body = {
        "reason": {"data": "profile.survey.churn.reason"},
        "deep": {"data": "profile.plan.name"},
        "none": {"data": "profile.survey.nps"},
    }
    compiled = compile_body(body)
    assert isinstance(compiled, Compiled)
    said = {"profile": {"survey.churn.reason": "price", "survey.churn": {"other": 1}, "plan": {"name": "pro"}}}
    assert json.loads(str(render_body(compiled, said))) == {"reason": "price", "deep": "pro", "none": None}
