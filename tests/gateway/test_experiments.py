"""Statistics of experiments by the public API."""

import asyncio

from services.experiments.__main__ import service as experiments
from tests.experiments.asked import FILLED, REVENUE, changed, hillstrom
from tests.gateway.conftest import open_site, problem_of

RUSSIAN = {"Accept-Language": "ru"}


async def test_counts_in_intervals_and_sentences_out(config):
    async with open_site(config, experiments()) as site:
        answer = await site.http.post("/api/experiments/evaluate", json=hillstrom())
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["verdict"] == "more" and told["split"]["alarm"] is False
        assert "между" not in told["text"]["ru"] and told["text"]["ru"].startswith("visit: больше на 7,0–8,3")
        asked = {"base": 0.045, "effect": {"points": 0.016}, "per_day": 50, "global_base": 389000}
        plan = (await site.http.post("/api/experiments/plan", json=asked)).json()
        assert plan["needed"]["arms"] == [3077, 3077] and plan["refused"] is True
        assert len(plan["control_groups"]["rows"]) == 3
        several = [site.http.post("/api/experiments/evaluate", json=FILLED) for _ in range(5)]
        assert {one.status_code for one in await asyncio.gather(*several)} == {200}

        wrong = changed(FILLED, metrics=[*FILLED["metrics"], REVENUE], metrics__0__of__b__x=1508, metrics__1__of__b__currency="EUR")
        errors = problem_of(await site.http.post("/api/experiments/evaluate", json=wrong), 422, "invalid")["errors"]
        assert {(one["path"], one["code"]) for one in errors} == {
            ("metrics.0.of.b.x", "more_than_people"),
            ("metrics.1.of.b.currency", "currency_mixed"),
        }
        russian = problem_of(await site.http.post("/api/experiments/plan", json={"base": 5}, headers=RUSSIAN), 422, "invalid")
        assert {one["path"]: one["message"] for one in russian["errors"]} == {
            "base": "доля больше 0 и меньше 1: 0,05 значит 5 %",
            "effect": "укажите `effect`, `people` или `global_base`: что планировать?",
        }
        problem_of(await site.http.post("/api/experiments/plan", content=b"{"), 400, "malformed_json")
        described = (await site.http.get("/api/openapi.json")).json()
        took = described["paths"]["/api/experiments/evaluate"]["post"]
        assert took["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Evaluation"}
        assert took["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Evaluated"}
        assert {"Evaluation", "Evaluated", "Planning", "Planned"} <= set(described["components"]["schemas"])


async def test_without_the_service_the_answer_says_so(config):
    async with open_site(config) as site:
        problem_of(await site.http.post("/api/experiments/evaluate", json=FILLED), 503, "service_unknown")
