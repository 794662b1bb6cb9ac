"""A promo code in an order: it is used from then on, whoever it was given to, and that is told."""

from schemas.facts import Fact
from schemas.ids import derive
from schemas.promo_pools import COUPON, ORDER, USED
from services.orchestrator.domain import codes, loans
from services.orchestrator.domain.steps.saying import SOURCE
from services.orchestrator.domain.turn import Moment, Turn


def coupon(fact: Fact) -> str:
    """What an order says of it; "" if nothing."""
    said = fact.properties.get(COUPON)
    return said if fact.event == ORDER and isinstance(said, str) else ""


def redeem(turn: Turn, fact: Fact, moment: Moment) -> None:
    """owner: `self`, `other` (it was given to somebody else) or `nobody`. An order that is told anew uses nothing anew."""
    said = coupon(fact)
    known = turn.book.shelf.of(fact.brand, said) if said else None
    if known is None:
        return
    order = str(fact.properties.get("order_id", ""))
    if known.used and order and order == known.order:
        return
    if not known.used:
        turn.moves.append(codes.Use(known.number, turn.profile, fact.occurred_at, order))
        loans.spend(turn, known.number)
    owner = "nobody" if not known.given_to else "self" if known.given_to == turn.profile else "other"
    turn.emit(
        Fact(
            id=derive(USED, fact.id, known.number),
            type="track",
            event=USED,
            brand=fact.brand,
            source=SOURCE,
            occurred_at=fact.occurred_at,
            received_at=moment.now,
            about=turn.profile,
            properties={
                "pool": known.pool,
                "code_number": known.number,
                "order_id": order,
                "owner": owner,
                "again": known.used,
            },
            cause=fact.id,
        )
    )
