"""Giving a promo code: it lies in the run's data as `promo.STEP`, and what it is called by (never the code itself) is told of it."""

from typing import Any

from schemas.promo_pools import GIVEN, PromoPool
from schemas.steps import Give
from services.orchestrator.domain import codes, loans
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Held, Run, replace
from services.orchestrator.domain.steps.way import Go
from services.orchestrator.domain.turn import Moment, Turn

RULE = "promo_pool"  # gave it
EMPTY, EXPIRED, CLOSED = "promo_pool_empty", "promo_pool_expired", "promo_pool_closed"  # did not; closed: no such pool is in force


def give(turn: Turn, plan: Plan, run: Run, step: Give, moment: Moment) -> Go | None:
    """A step of a run gives once, whatever leads there again."""
    following = plan.following[step.id]
    had = loans.promo(run).get(step.id)
    if had is not None and (had["journey"], had["pool"]) == (run.journey, step.give):
        return Go(run, following)
    pool = turn.book.pools.get(step.give)
    if pool is None or (pool.expires_ms is not None and pool.expires_ms <= moment.now):
        return _none(turn, run, step, moment, CLOSED if pool is None else EXPIRED)
    kept = loans.kept(turn.person, step.give) if step.per == "person" else None
    if kept is not None:
        run = _with(run, step, pool, kept.number, kept.code)
        turn.tell(run, "given", moment, RULE, step=step.id, detail={"pool": pool.key, "code": kept.number, "again": True})
        return Go(run, following)
    code = turn.code(step.give)
    if code is None:
        return _none(turn, run, step, moment, EMPTY)
    held = Held(
        pool.key, code.number, code.text, moment.now, run.brand, run.journey, run.version, step.id, run.occurrence,
        home=run.home, kept=step.per == "person", lent=step.returns,
    )  # fmt: skip
    run = _with(run, step, pool, code.number, code.text)
    _hand_over(turn, held, moment)
    turn.tell(run, "given", moment, RULE, step=step.id, detail={"pool": pool.key, "code": code.number})
    return Go(run, following)


def _none(turn: Turn, run: Run, step: Give, moment: Moment, rule: str) -> Go:
    turn.tell(run, "skipped", moment, rule, step=step.id, detail={"pool": step.give})
    return Go(run, step.empty)


def _with(run: Run, step: Give, pool: PromoPool, number: int, code: str) -> Run:
    """journey: a run that jumped brings what it was given along, under the names of another's steps."""
    told: dict[str, Any] = {"code": code, "pool": pool.key, "number": number, "journey": run.journey, "text": pool.text}
    if pool.expires is not None:
        told["expires"] = pool.expires
    return replace(run, data={**run.data, loans.PROMO: {**loans.promo(run), step.id: told}})


def _hand_over(turn: Turn, held: Held, moment: Moment) -> None:
    turn.moves.append(
        codes.Give(held.number, turn.profile, held.at, held.home, held.journey, held.step, held.occurrence),
    )
    if held.kept or held.lent:
        loans.note(turn, held)
    turn.emit(loans.fact(turn, GIVEN, held, moment))
