"""/api/experiments/{key}/results and /stop: what an experiment has shown, and its end. The documents themselves are as all others."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from schemas.attributes import date_ms
from schemas.experiment_documents import TREATMENT, ControlOf, Experiment, GlobalOf, SplitOf, VariantsOf
from services.gateway.api.counting import RefusedError, counted
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.outcomes import described
from services.gateway.domain import experiment_evaluation as evaluation
from services.gateway.domain import experiment_looks as looks
from services.gateway.domain import experiments as domain
from services.gateway.domain.experiments import Compared, Run, Weights
from services.gateway.domain.outcomes import Reading
from services.gateway.domain.problems import Fault, Language, Problem
from services.gateway.handler import documents as saving
from services.gateway.handler import experiments as handler
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.finding import mine, seen
from services.gateway.handler.publishing import Publishing
from services.gateway.store import documents

# The parameters of its results: of the people behind a figure.
OPENED = {"figure": "such as 0.control.people: period, arm, and people, contaminated, merged or did.<measure>", "limit": "at most 1000",
          "next": "as the last page gave it"}  # fmt: skip


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router, results = APIRouter(tags=["experiments"]), Results(desk, neighbours)
    router.get("/api/experiments/{key}/results", name="results of an experiment", openapi_extra=described(OPENED))(results.results)
    router.post("/api/experiments/{key}/stop", name="stop of an experiment")(results.stop)
    return router


class Question(NamedTuple):
    """shares: of each period; asked: what goes to the audience service."""

    document: Experiment
    run: Run
    shares: Sequence[Weights]
    asked: dict[str, Any]


class Results:
    def __init__(self, desk: Desk, neighbours: Neighbours) -> None:
        self._desk, self._neighbours = desk, neighbours

    async def stop(self, request: Request, key: str) -> Response:
        """End it: whoever is exposed later does not count. What it showed stays."""

        async def work(call: Call, _body: Any) -> Answer:
            publishing = await Publishing.begin(call)
            draft = await mine(call, handler.EXPERIMENT, key)
            run = await handler.run_of(call, key)
            if run is None or run.stopped_at is not None or draft.published_version is None or not call.key.sees(run.body["brand"]):
                raise Problem("experiment_not_running", key=key)
            document = Experiment.model_validate({**run.body, "stopped": publishing.now})
            if draft.body == run.body:
                await saving.save(call, handler.EXPERIMENT, key, document)
            version, _, _ = await publishing.publish(handler.EXPERIMENT.name, key, document, draft)
            await publishing.finish()
            return Answer({"kind": "experiment", "key": key, "version": version, "stopped": publishing.now})

        return await self._desk.act(request, "publish", work)

    async def results(self, request: Request, key: str) -> Response:
        """How many people each arm has, by day too, and what each did; and, at its looks, what that shows (`judged`). Of shares that were
        changed on the way each period stands apart, and the last is judged. With `figure` the people behind one.
        """
        reading = Reading(request.query_params, frozenset(OPENED))
        wanted = reading.wanted()
        async with self._desk.calling(request, "read") as call:
            if reading.faults:
                raise Problem("invalid", reading.faults)
            await seen(call, handler.EXPERIMENT, key)
            question = await self.question(call, key)
            # Versions outlive a deletion: what ran under this key may have been another brand's.
            if question is None or not call.key.sees(question.document.brand):
                raise Problem("not_in_force", kind="experiment", key=key)
        if wanted:
            return JSONResponse(await self._found(question.asked, **wanted))
        return JSONResponse(await self.told(question, None, call.language))

    async def question(self, call: Call, key: str) -> Question | None:
        """What its results are asked of; None: it never ran."""
        run = await handler.run_of(call, key)
        if run is None:
            return None
        document = Experiment.model_validate(run.body)
        bodies = await handler.compared_of(call, document)
        clock = await documents.clock_of(call.connection, document.brand)
        shares, of = domain.periods(bodies)
        return Question(document, run, shares, asked_of(document, run, bodies, shares, of, clock.name))

    async def told(self, question: Question, as_of: int | None, language: Language) -> dict[str, Any]:
        """What it has shown by an instant (ms); None: by now. Raises Problem."""
        document, run, shares, asked = question
        now = await self._found(asked, as_of)
        over = asked["until"] is not None and asked["until"] <= now["as_of"]
        state = "stopped" if run.stopped_at is not None else "over" if over else "running"
        told = {"experiment": document.key, "state": state, "started_at": run.started_at,
                "since": asked["since"], "until": asked["until"], "looks": document.rule, "size": document.size,
                **{name: now[name] for name in ("people", "as_of", "complete_up_to", "took_ms")},
                "periods": [_shown(shares, one) for one in now["periods"]]}  # fmt: skip
        return {**told, **await self._judged(document, asked, shares, now, language)}

    async def _judged(
        self, document: Experiment, asked: dict[str, Any], shares: Sequence[Weights], now: dict[str, Any], language: Language
    ) -> dict[str, Any]:
        """The verdict of the last look that was reached, by what was known then."""
        if not now["people"]:
            return {"judged": None, "why": [Fault("", "no_people").told(language)]}
        found, look = now, None
        if document.rule != "open":
            period = now["periods"][-1]
            look = looks.last(document, asked["until"], period, now["as_of"])
            if look is None:
                ahead = looks.following(document, asked["until"], period, now["as_of"])
                return {"judged": None, "why": [Fault("", "no_look_yet").told(language)], "next_look": ahead}
            found = await self._found({**asked, "until": look.until, "marks": []}, look.at)
        period = found["periods"][-1] if found["periods"] else None
        people = looks.people_of(period["arms"]) if period else 0
        told = {} if look is None else {"look": {"people": people, "at": look.at, "final": look.final}}
        if period is None or not 0 <= period["period"] < len(shares):
            return {"judged": None, "why": [Fault("of", "nothing_compared").told(language)], **told}
        question = evaluation.question(document, shares[period["period"]], period, look)
        why = [fault.told(language) for fault in question.faults]
        if question.body is None:
            return {"judged": None, "why": why, **told}
        status, judged = await self._neighbours.tell("experiments", "/experiments/evaluate", question.body)
        if status != 200:
            raise Problem("service_unavailable", service="experiments")
        return {"judged": evaluation.valued(document, judged), "why": why, **told}

    async def _found(self, asked: Mapping[str, Any], as_of: int | None = None, **wanted: Any) -> dict[str, Any]:
        """wanted: the people behind a figure in place of all figures."""
        try:
            return await counted(self._neighbours, "/audience/experiment", {"asked": asked, "as_of": as_of, **wanted})
        except RefusedError as error:
            raise error.problem(_place) from error


def asked_of(
    document: Experiment,
    run: Run,
    bodies: Mapping[int, Compared | None],
    shares: Sequence[Weights],
    of: Mapping[int, int],
    zone: str,
) -> dict[str, Any]:
    """The question to the audience service."""
    since = date_ms(document.start) if document.start is not None else run.started_at
    assert since is not None
    measures = [
        metric.model_dump(mode="json", include={"key", "kind", "target", "over"}, exclude_none=True) for metric in document.metrics
    ]
    salts = {found.salt for found in bodies.values() if found is not None} if isinstance(document.of, ControlOf) else set()
    lone = isinstance(document.of, VariantsOf) and any(TREATMENT in weights for weights in shares)
    everywhere = isinstance(document.of, GlobalOf)
    return {
        "document": document.document, "step": document.of.step if isinstance(document.of, SplitOf) else "",
        "salts": [] if "" in salts else sorted(salts), "arms": domain.arms_of(document, shares),
        "others": TREATMENT if isinstance(document.of, ControlOf) or lone else "", "versions": None if everywhere else of,
        "spans": [(at, of.get(at, -1)) for at in sorted(bodies)] if everywhere else [],
        "brands": [document.brand], "since": since, "until": looks.end_of(document, since, run.stopped_at), "measures": measures,
        "pre_period": document.pre_period, "outliers": document.outliers.rule, "at": document.outliers.place, "zone": zone,
        "marks": looks.marks(document),
    }  # fmt: skip


def _shown(shares: Sequence[Weights], period: Mapping[str, Any]) -> dict[str, Any]:
    """Arms of its own, and others only where somebody is in them: he was one of two who became one since."""
    if not 0 <= period["period"] < len(shares):
        return {**period, "shares": None}
    own = shares[period["period"]]
    arms = {name: arm for name, arm in period["arms"].items() if name in own or arm["people"]}
    return {**period, "arms": arms, "shares": {name: share / 100 for name, share in own.items()}}


def _place(path: str) -> str:
    """measures.0 is the primary one of the document, measures.1 the first secondary."""
    parts = path.split(".")
    if parts[0] == "measures":
        place = int(parts[1])
        parts = ["primary" if place == 0 else f"secondary.{place - 1}", *parts[2:]]
    return ".".join(parts)
