"""What became of a run's letters, as far as steps of its journey ask: the sender's verdicts, and what readers and providers tell."""

from schemas.facts import Fact
from schemas.messages import Decision
from schemas.stepping import OfLetter
from services.orchestrator.domain.state import Letter, Run, replace
from services.orchestrator.domain.turn import Turn

# Who clicked has opened, and so on. A letter that went to nobody has become nothing else.
IMPLIES = {
    "accepted": frozenset(("accepted", "delivered", "opened", "clicked")),
    "delivered": frozenset(("delivered", "opened", "clicked")),
    "opened": frozenset(("opened", "clicked")),
}


def has_become(run: Run, wanted: OfLetter) -> bool:
    letter = run.letters.get(wanted.step)
    return letter is not None and not IMPLIES.get(wanted.became, frozenset((wanted.became,))).isdisjoint(letter.became)


def issued(run: Run, step: str, intent: str) -> Run:
    """The run with a letter on its way."""
    return replace(run, letters={**run.letters, step: Letter(intent)})


def skipped(run: Run, step: str) -> Run:
    """The run with a letter that did not go."""
    return replace(run, letters={**run.letters, step: Letter("", ("skipped",))})


def of_fact(turn: Turn, fact: Fact, became: str) -> list[Run]:
    """Runs of which a reader or a provider tells something new."""
    return _became(turn, str(fact.properties.get("intent", "")), became)


def of_verdict(turn: Turn, verdict: Decision) -> list[Run]:
    became = verdict.verdict if verdict.verdict in ("accepted", "failed", "skipped") else ""
    return _became(turn, verdict.intent, became) if became else []


def _became(turn: Turn, intent: str, became: str) -> list[Run]:
    found = []
    for run in turn.person.runs if intent else ():
        step = next((step for step, letter in run.letters.items() if _is_of(letter, intent, became)), None)
        if step is not None and became not in run.letters[step].became:
            letter = run.letters[step]
            changed = replace(run, letters={**run.letters, step: replace(letter, became=tuple(sorted({*letter.became, became})))})
            turn.put(changed)
            found.append(changed)
    return found


def _is_of(letter: Letter, intent: str, became: str) -> bool:
    """Of what became of the channels that a cascade has left only what is good says anything of the whole."""
    return letter.intent == intent or (intent in letter.others and became in IMPLIES["accepted"])
