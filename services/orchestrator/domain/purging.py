"""The step that takes people out: profile is asked to erase them, unless something keeps them."""

from schemas import consents
from schemas.facts import ERASE, Fact
from schemas.ids import derive
from schemas.steps import PAYS, Purge
from schemas.topics import ADDRESS_KIND
from services.orchestrator.domain.state import Person, Run
from services.orchestrator.domain.turn import Moment, Turn


def learn(person: Person, fact: Fact, event: str) -> None:
    """What keeps people for good."""
    person.bought = person.bought or event in PAYS
    person.agreed = person.agreed or (event in consents.GRANTS and consents.is_proven(fact) and not consents.is_request(fact))


def purge(turn: Turn, run: Run, step: Purge, moment: Moment, *, meets: bool) -> None:
    """A verdict either way. meets: does he meet the step's `keep`, as far as the segmenter has told?

    What was heard here counts beside it: the segmenter may be a moment behind and has no history of before a condition was published,
    and an erasure cannot be taken back. Of one who has agreed to anything no more is taken than the addresses of a channel.
    """
    rule = "keep" if meets else _tie(turn.person, step)
    if rule:
        turn.tell(run, "kept", moment, rule, step=step.id)
        return
    reason = f"journey:{run.journey}.{run.version}.{step.id}"
    only = {} if step.purge == "person" else {"only": [ADDRESS_KIND[step.purge]], "keep": turn.person.agreed}
    turn.emit(
        Fact(
            id=derive("purge", reason, turn.profile, run.occurrence),
            type=ERASE,
            brand=run.brand,
            source="orchestrator",
            occurred_at=moment.now,
            received_at=moment.now,
            about=turn.profile,
            properties={"reason": reason, **only},
            cause=moment.cause,
        )
    )
    turn.tell(run, "purged", moment, f"purge:{step.purge}", step=step.id)


def _tie(person: Person, step: Purge) -> str:
    if person.bought:
        return "bought"
    return "agreed" if person.agreed and step.purge == "person" else ""
