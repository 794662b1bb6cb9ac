"""What a journey says of its own about each of its messages, and the rules that a message of it must pass."""

from collections.abc import Mapping
from typing import NamedTuple

from schemas.contact import MIDDLE, Span, priority_of, spans_of
from schemas.journeys import Journey
from schemas.steps import Cascade, Letters, Send
from services.orchestrator.domain.rules import Hours, Rules


class Terms(NamedTuple):
    """Of one message. priority: 0 to 100; spans: when it may go, None for whenever the rules let it."""

    priority: int = MIDDLE
    spans: tuple[Span, ...] | None = None


def terms_of(journey: Journey) -> Mapping[str, Terms]:
    """Step -> terms, of marketing alone: service messages wait for nobody."""
    return {
        step.id: _terms(journey, step) for step in journey.steps if isinstance(step, Letters) and step.message_class != "service"
    }


def _terms(journey: Journey, step: Letters) -> Terms:
    own = (step.priority, step.windows) if isinstance(step, Send | Cascade) else (None, None)
    priority, windows = own[0] if own[0] is not None else journey.priority, own[1] or journey.windows
    return Terms(priority_of(priority), spans_of(windows) if windows else None)


def with_own(rules: Rules, terms: Terms) -> Rules:
    """The rules, and the message's own windows beside theirs."""
    if terms.spans is None:
        return rules
    return rules._replace(hours=(*rules.hours, Hours(terms.spans, "own")))
