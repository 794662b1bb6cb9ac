"""Whether a journey makes sense as a whole: each step can be reached, and no run goes round without time passing."""

from collections.abc import Iterator, Mapping, Sequence

from schemas.journeys import Journey
from services.gateway.domain.problems import Fault


def faults_of(journey: Journey) -> Iterator[Fault]:
    """All at once, at the steps."""
    leads = journey.leads()
    place = {step.id: f"steps.{number}" for number, step in enumerate(journey.steps)}
    reached = _reached(leads, journey.steps[0].id)
    yield from (Fault(place[step], "unreachable", params={"step": step}) for step in leads if step not in reached)
    at_once = {step.id: leads[step.id] for step in journey.steps if step.id in reached and not step.waits}
    circle = [step for step, ways in at_once.items() if step in _reached(at_once, *ways)]
    if circle:
        yield Fault(place[circle[0]], "circle", params={"steps": ", ".join(circle)})


def _reached(leads: Mapping[str, Sequence[str]], *starts: str) -> set[str]:
    """The steps to which these lead, themselves among them."""
    found: set[str] = set()
    unseen = list(starts)
    while unseen:
        step = unseen.pop()
        if step not in found:
            found.add(step)
            unseen += leads.get(step, ())
    return found
