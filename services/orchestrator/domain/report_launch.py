"""What a rehearsed launch came to: everybody of its audience under one verdict, and what others lose by it. Pure."""

from collections import Counter
from typing import Any

from schemas.messages import Decision, Intent
from services.orchestrator.domain.rehearsing import Played
from services.orchestrator.domain.report import is_message

VERDICTS = ("sent", "deferred", "skipped", "would_have_sent")


class Audience:
    """Of the launch of one campaign, by the last word about each: what the report of a real launch counts before the sender has spoken."""

    def __init__(self, document: str) -> None:
        self._document = document
        self._people: Counter[tuple[str, str]] = Counter()
        self._variants: dict[str, Counter[str]] = {}

    def add(self, played: Played) -> None:
        if not played.chosen:
            return
        told = [one for one in played.told if isinstance(one, Decision) and one.document == self._document]
        last = next((one for one in reversed(told) if one.verdict in VERDICTS), None)
        self._people[(last.verdict, last.rule) if last else ("undecided", "")] += 1
        if last and (variant := str(last.detail.get("variant", ""))):
            counted = self._variants.setdefault(variant, Counter())
            counted["people"] += 1
            counted["sent"] += last.verdict == "sent"

    def told(self) -> dict[str, Any]:
        """{audience, people: [{verdict, rule, people}], variants}; the people make the audience exactly."""
        return {
            "audience": self._people.total(),
            "people": [{"verdict": verdict, "rule": rule, "people": n} for (verdict, rule), n in sorted(self._people.items())],
            "variants": {name: {"people": n["people"], "sent": n["sent"]} for name, n in sorted(self._variants.items())},
        }


class Displaces:
    """What becomes of the messages of other documents by the draft: one key is one message, with it and without it."""

    def __init__(self, document: str) -> None:
        self._document = document
        self._found: dict[str, Counter[str]] = {}

    def add(self, before: Played, after: Played) -> None:
        """before: under what is in force; after: with the draft."""
        were, are = self._others(before), self._others(after)
        found = [("lost", were[key]) for key in were.keys() - are.keys()]
        found += [("more", are[key]) for key in are.keys() - were.keys()]
        found += [(_moved(were[key], are[key]), are[key]) for key in were.keys() & are.keys()]
        changed = [(what, one.document) for what, one in found if what]
        for what, document in (*changed, *(("people", document) for document in {document for _, document in changed})):
            self._found.setdefault(document, Counter())[what] += 1

    def _others(self, played: Played) -> dict[str, Intent]:
        messages = (one for one in played.told if isinstance(one, Intent) and is_message(one))
        return {one.id: one for one in messages if one.document != self._document}

    def told(self) -> dict[str, Any]:
        """By document `{later, sooner, lost, more, people}`: messages, and of how many people."""
        names = ("later", "sooner", "lost", "more", "people")
        return {document: {name: found[name] for name in names} for document, found in sorted(self._found.items())}


def _moved(before: Intent, after: Intent) -> str:
    by = after.received_at - before.received_at
    return "later" if by > 0 else "sooner" if by < 0 else ""
