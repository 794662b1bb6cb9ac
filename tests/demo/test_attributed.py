"""Figures of attribution as the table of the demo has them."""

from deploy.demo.attributed import numbers


def test_each_model_has_a_figure_for_each_label_and_for_what_nobody_got():
    credit = {"conversions": 1.5, "revenue": 300}
    nobody = {"conversions": 2, "revenue": 50}
    told = {
        "conversions": 5, "revenue": 650, "scanner_clicks": 1, "unattributed": {"last_click": nobody, "linear": nobody},
        "rows": [{"label": name, "last_click": credit, "linear": credit} for name in ("journey:welcome", "email")],
    }  # fmt: skip
    found = numbers(told)
    assert found["attribution.linear.journey:welcome.revenue"] == 300 and found["attribution.last_click.(nobody).orders"] == 2
    assert (
        sum(value for name, value in found.items() if name.startswith("attribution.linear.") and name.endswith(".revenue")) == 650
    )
    assert not any(name.startswith("attribution.markov") for name in found), "it was left out: there were too many labels"
