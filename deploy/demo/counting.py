"""From what the player saw and what the system says to the numbers of the table. Pure."""

import bisect
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deploy.demo.player import SOURCE, Played
from deploy.demo.reading import Told

Flat = dict[str, int | float | str]
Decisions = Sequence[Mapping[str, Any]]
WHERE = frozenset(("src", "seq"))  # where a record lies, not what it says


def digest(decisions: Decisions) -> str:
    """sha256 of all verdicts, sorted, without the places where they lie: two runs with one seed give the same."""
    lines = sorted(json.dumps({k: v for k, v in one.items() if k not in WHERE}, sort_keys=True) for one in decisions)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def facts(played: Played, told: Sequence[Told], raw_records: int, dead: Sequence[Mapping[str, Any]]) -> Flat:
    """What went in and where it is. told: the facts with their people; raw_records: of `facts.raw`, repeats included.

    lost: acknowledged, yet neither in the log with a person nor among the dead letters.
    """
    stored = {one.id for one in told if one.source == SOURCE and not one.type.startswith("profile.")}
    links = {one.id for one in told if one.source == "links" and not one.type.startswith("profile.")}
    simulated = sum(played.reactions.values())
    missing = len(played.facts.keys() - stored)
    reasons = Counter(f"dead.{letter['reason']}" for letter in dead)
    return {
        "facts.in": played.calls + simulated,
        "facts.stored": len(stored) + len(links),
        "facts.duplicates": raw_records - len(stored) - len(links),
        "facts.dead": len(dead),
        "facts.lost": max(0, missing - len(dead)) + max(0, simulated - len(links)),
        **dict(sorted(reasons.items())),
    }


def intents(decisions: Decisions, mails: Sequence[Mapping[str, Any]]) -> Flat:
    """The way of each message, by its Message-ID at the catcher against the verdicts.

    lost: decided and never told of again, or accepted and not there; sent_twice: mails beyond the first of an intent.
    """
    arrived = Counter(intent_of(mail) for mail in mails)
    decided = {one["intent"] for one in decisions if one["by"] == "orchestrator" and one["verdict"] == "sent"}
    of_sender = (one for one in decisions if one["by"] == "sender" and one.get("intent"))
    in_order = sorted(of_sender, key=lambda one: (one.get("attempt", 0), one["received_at"]))
    verdicts = {one["intent"]: one["verdict"] for one in in_order}  # the last word on each
    lost = sum(1 for intent in decided if intent not in verdicts and intent not in arrived)
    lost += sum(1 for intent, verdict in verdicts.items() if verdict == "accepted" and intent not in arrived)
    return {
        "messages.sent": len(arrived),
        "intents.decided": len(decided),
        "intents.sent_twice": sum(count - 1 for count in arrived.values()),
        "intents.lost": lost,
        "intents.in_doubt": sum(verdict == "in_doubt" for verdict in verdicts.values()),
    }


def messages(decisions: Decisions) -> Flat:
    """Messages per step, and how many each rule displaced, kept back or held for comparison."""
    found: Counter[str] = Counter()
    for one in decisions:
        step = f"{one.get('document', '').removeprefix('journey:')}.{one.get('step', '')}"
        rule = one.get("rule", "")
        match one["verdict"]:
            case "accepted":
                found[f"sent.{step}"] += 1
            case "deferred":
                found[f"displaced.{rule}"] += 1
            case "would_have_sent":
                found[f"control.{rule}"] += 1
            case "skipped" if one.get("step"):
                found[f"skipped.{rule}"] += 1
            case "failed" | "late" | "held" as verdict:
                found[f"{verdict}.{rule}"] += 1
            case "entered" | "goal" as verdict:
                found[f"runs.{one['document'].removeprefix('journey:')}.{verdict}"] += 1
    return dict(sorted(found.items()))


def examples(decisions: Decisions, mails: Sequence[Mapping[str, Any]]) -> Flat:
    """A letter of each step: its number at the catcher. The last one, since its reader has the longest history."""
    numbers = {intent_of(mail): mail["id"] for mail in mails}
    found: Flat = {}
    for one in sorted(decisions, key=lambda one: (one["received_at"], one["id"])):
        if one["verdict"] == "accepted" and one["intent"] in numbers:
            found[f"example.{one['document'].removeprefix('journey:')}.{one['step']}"] = numbers[one["intent"]]
    return dict(sorted(found.items()))


def segments(keys: Iterable[str], members: Mapping[str, int], changes: Sequence[Mapping[str, Any]]) -> Flat:
    """How full each segment is, and how often it was entered and left."""
    moved = Counter((one["segment"], one["type"]) for one in changes if one["type"] != "mark")
    found: Flat = {}
    for key in keys:
        found[f"segments.{key}.members"] = members.get(key, 0)
        found[f"segments.{key}.entered"] = moved[key, "entered"]
        found[f"segments.{key}.left"] = moved[key, "left"]
    return found


def latency(played: Played, decisions: Decisions) -> Flat:
    """Wall ms from the 2xx of a fact's batch to its mail, for mails that the fact brought in the same step; the mails of timers
    apart, from the moment at which the services were given the step.
    """
    arrived = {intent_of(mail): mail["at"] for mail in played.mails}
    steps = [step for step, _ in played.releases]
    direct, timers = list[int](), list[int]()
    for one in decisions:
        at: Any = arrived.get(one.get("intent", ""))
        if one["verdict"] != "sent" or at is None:
            continue
        place = bisect.bisect_left(steps, one["received_at"])
        step, released = played.releases[min(place, len(steps) - 1)]
        posted = played.facts.get(one.get("cause") or "")
        if posted is not None and posted.step == step:
            direct.append(at - posted.wall)
        else:
            timers.append(at - released)
    return {
        "latency.p50_ms": quantile(direct, 0.5),
        "latency.p99_ms": quantile(direct, 0.99),
        "latency.mails": len(direct),
        "latency.timers_p50_ms": quantile(timers, 0.5),
        "latency.timers_p99_ms": quantile(timers, 0.99),
        "latency.timers_mails": len(timers),
    }


def quantile(values: Sequence[int], share: float) -> int:
    """The smallest value that at least `share` of them do not exceed; 0 of none."""
    if not values:
        return 0
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share * 100) // 100) - 1)]


def intent_of(mail: Mapping[str, Any]) -> str:
    """The intent's id is the local part of the Message-ID."""
    return str(mail["message_id"]).strip("<>").partition("@")[0]
