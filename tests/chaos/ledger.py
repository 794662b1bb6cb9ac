"""The sender's ledger, the intents and the SMTP server's log against each other, and against the oracle of the letters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from tests.chaos.evidence import NEVER, Journal, Merges, journal
from tests.chaos.verify import Findings

OURS = frozenset(("journey:welcome", "journey:hello"))  # what else goes is judged in tests/chaos/acts
EXCUSED = frozenset(("failed", "late", "held", "in_doubt", "unknown"))
SENT = frozenset(("Email Sent", "Telegram Sent"))
Row = Mapping[str, Any]


class Ledger:
    """What the tables, the logs and the SMTP server say of every intent. intents: as consumers take them from `messages.*`."""

    def __init__(self, rows: Sequence[Row], intents: Sequence[Row], mails: Sequence[Row], verdicts: Sequence[Row]) -> None:
        self.rows = {row["id"]: row for row in rows}
        self.intents: dict[str, list[Row]] = {}
        for intent in intents:
            self.intents.setdefault(intent["id"], []).append(intent)
        self.sent = Counter(mail["message_id"].partition("@")[0] for mail in mails if mail["what"] == "accepted")
        self.dropped = {m["message_id"].partition("@")[0] for m in mails if m["what"] in {"drop", "hangup"}}
        self.told: dict[str, list[Row]] = {}
        # Attempts may be told in different partitions, when their people were one by then: the logs give them no order.
        for verdict in sorted(verdicts, key=lambda v: v.get("attempt", 0)):
            if verdict["by"] == "sender":
                self.told.setdefault(verdict["intent"], []).append(verdict)

    def state(self, intent: str) -> str:
        """Of its row; of what was refused before it had one, what the sender told."""
        if intent in self.rows:
            return str(self.rows[intent]["state"])
        return str(self.told[intent][-1]["verdict"]) if intent in self.told else "nothing"

    def decided(self, intent: str) -> Row:
        """The record of the attempt that went."""
        attempts = self.intents[intent]
        wanted = self.rows[intent]["attempt"] if intent in self.rows else 0
        return next((a for a in attempts if a.get("attempt", 0) == wanted), attempts[-1])

    def check(self, found: Findings) -> None:
        """Every intent is in one final state, the ledger says accepted of what the server took, and everybody was told so."""
        for intent in self.intents.keys() | self.rows.keys():
            state, times = self.state(intent), self.sent[intent]
            if intent not in self.intents:
                found.add("state.differences", f"the ledger has {intent}, which nobody decided")
            if state in {"nothing", "taken", "started"}:
                found.add("intents.lost", f"{intent} stands as {state}")
            if state == "accepted" and times != 1:
                found.add("state.differences", f"{intent} is accepted, and the server has it {times} times")
            if times and state not in {"accepted", "in_doubt", "unknown"}:
                found.add("state.differences", f"{intent} is {state}, and the server has it")
            last = self.told[intent][-1]["verdict"] if intent in self.told else "nothing"
            if last != state and not (last == "in_doubt" and state == "accepted"):
                found.add("state.differences", f"{intent} is {state}, and the last that was told of it is {last}")
        for intent in self.sent.keys() - self.intents.keys():
            found.add("state.differences", f"the server has {intent}, which nobody decided")

    def check_facts(self, found: Findings, records: Sequence[Row]) -> None:
        """One fact `Email Sent`, or of a chat `Telegram Sent`, for each message that is accepted."""
        times = Counter(r["properties"]["intent"] for r in records if r["source"] == "sender" and r.get("event") in SENT)
        for intent, row in self.rows.items():
            if times[intent] != (row["state"] == "accepted"):
                found.add("state.differences", f"{intent} is {row['state']}, with {times[intent]} facts that it was sent")

    def counts(self) -> dict[str, int]:
        states = Counter(map(self.state, self.intents))
        return {f"intents.{state}": states[state] for state in ("accepted", "failed", "skipped", "late", "held", "in_doubt")}

    def doubted(self) -> int:
        """In doubt, and not because the server gave no answer."""
        return sum(row["state"] == "in_doubt" and id_ not in self.dropped for id_, row in self.rows.items())


async def ledger(connection: asyncpg.Connection, intents: Sequence[Row], mails: Sequence[Row], verdicts: Sequence[Row]) -> Ledger:
    rows = await connection.fetch(
        "SELECT id::text AS id, profile::text AS profile, state, code, attempt, started_at FROM sender.attempt"
    )
    return Ledger(rows, intents, mails, verdicts)


class Judgement:
    """The oracle's differences, each explained by the journals or counted against us."""

    def __init__(self, book: Ledger, records: Sequence[Row], orchestrator: Journal, sender: Journal) -> None:
        self._book, self._orchestrator, self._sender = book, orchestrator, sender
        self._merges = Merges(orchestrator, records)
        self._stops: dict[str, list[Row]] = {}
        self._profiles: dict[str, set[str]] = {}
        for record in records:
            for name in record.get("identifiers", ()):
                self._profiles.setdefault(name, set()).add(record["profile"])
                if record.get("event") in {"Balance Topped Up", "Consent Withdrawn"}:
                    self._stops.setdefault(name, []).append(record)
        self.raced = 0

    def judge(self, found: Findings, oracle: Mapping[str, Any]) -> None:
        for what in oracle["twice"]:
            found.add("intents.sent_twice", what)
        for entry in oracle["missing"]:
            self._missing(found, entry)
        for entry in oracle["extra"]:
            self._extra(found, entry)
        for intent in self._book.sent.keys() & self._book.intents.keys():
            letter = self._book.decided(intent)
            if letter["document"] in OURS:
                self._ignored(found, letter)

    def _missing(self, found: Findings, entry: Row) -> None:
        """A letter that had to go: what did not go for a stated reason, or may have gone, is not lost."""
        profiles = {profile for name in entry["names"] for profile in self._profiles.get(name, ())}
        own = [
            id_
            for id_, tries in self._book.intents.items()
            if tries[0]["profile"] in profiles and tries[0]["step"] == entry["step"]
        ]
        states = [self._book.state(id_) for id_ in own]
        if any(self._refused_in_time(id_, entry["names"]) for id_ in own):
            self.raced += 1
        elif not any(state in EXCUSED for state in states):
            found.add("intents.lost", f"{entry['step']} to {entry['names']}: intents {list(zip(own, states, strict=True))}")

    def _refused_in_time(self, intent: str, names: Sequence[str]) -> bool:
        """The sender came to it so late (it was killed again and again) that a no had come first: then it must not go."""
        last = self._book.told[intent][-1] if intent in self._book.told else {}
        if last.get("verdict") != "skipped" or last.get("rule") != "consent":
            return False
        words = [stop for name in names for stop in self._stops.get(name, ()) if stop["event"] == "Consent Withdrawn"]
        return any(word["received_at"] <= last["received_at"] for word in words)

    def _extra(self, found: Findings, entry: Row) -> None:
        """A letter that should not have gone is a race if it was decided before what forbade it was known; else it is a fault."""
        letters = [self._book.decided(letter.partition("@")[0]) for letter in entry["letters"]]
        stops = [stop for name in entry["names"] for stop in self._stops.get(name, ())]
        early = [letter for letter in letters if any(self._before(letter, stop) for stop in stops if _ends(stop, letter))]
        parted = [a for a in letters if any(self._parted(a, b) for b in letters)]
        if len(letters) - len(early) <= entry["most"] or (entry["most"] and len(parted) == len(letters)):
            self.raced += len(letters) - entry["most"]
        else:
            found.add("state.differences", f"{entry['step']} to {entry['names']}: {len(letters)} letters, at most {entry['most']}")

    def _before(self, letter: Row, stop: Row) -> bool:
        """Whether a letter was decided (or for a withdrawn consent: started) before the stop was handled."""
        if stop["event"] == "Consent Withdrawn":
            row = self._sender.handled(stop["_topic"], stop["_partition"], stop["_offset"])
            started = self._book.rows[letter["id"]]["started_at"]
            return row is None or (started is not None and started <= row.now)
        told = self._orchestrator.told(letter)
        return told is not None and told.id < self._known(letter, stop)

    def _known(self, letter: Row, stop: Row) -> int:
        """The transaction since which the stop is known of the letter's person."""
        row = self._orchestrator.handled(stop["_topic"], stop["_partition"], stop["_offset"])
        return max(row.id if row else NEVER, self._merges.since(letter["profile"], stop["profile"]))

    def _parted(self, one: Row, other: Row) -> bool:
        """Two letters of one step, each decided while their people were two."""
        if one["id"] == other["id"] or one["occurrence"] == other["occurrence"]:
            return False
        since = self._merges.since(one["profile"], other["profile"])
        rows = [self._orchestrator.told(letter) for letter in (one, other)]
        return since > 0 and all(row is not None and row.id < since for row in rows)

    def _ignored(self, found: Findings, letter: Row) -> None:
        """To the transaction: no letter was decided when the top-up that ends its run was known."""
        told = self._orchestrator.told(letter)
        starts = letter["data"]["event"]["message"]
        for name in self._names(letter["profile"]):
            for stop in self._stops.get(name, ()):
                paid = _ends(stop, letter) and stop["event"] == "Balance Topped Up"
                after = stop["occurred_at"] >= self._started(starts)
                if paid and after and told is not None and told.id > self._known(letter, stop):
                    found.add(
                        "state.differences", f"{letter['step']} of {starts} was decided after its goal {stop['id']} was known"
                    )

    def learn(self, records: Sequence[Row]) -> None:
        """What started which run, and who has which names."""
        self._starts = {r["properties"]["message"]: r["occurred_at"] for r in records if r.get("event") == "Registered"}
        near: dict[str, set[str]] = {}
        for record in records:
            if record["type"] == "profile.merged":
                pair = set(record["properties"].values())
                whole = pair.union(*(near.get(profile, {profile}) for profile in pair))
                near.update(dict.fromkeys(whole, whole))
        self._whose: dict[str, set[str]] = {}
        for name, profiles in self._profiles.items():
            for profile in profiles:
                for one in near.get(profile, {profile}):
                    self._whose.setdefault(one, set()).add(name)

    def _names(self, profile: str) -> set[str]:
        return self._whose.get(profile, set())

    def _started(self, message: str) -> int:
        return int(self._starts.get(message, 0))


def _ends(stop: Row, letter: Row) -> bool:
    """Whether it is a reason not to send: a no always, a top-up for the welcome chain."""
    if stop["event"] == "Consent Withdrawn":
        return True
    return letter["document"] == "journey:welcome" and stop["properties"]["amount"]["minor"] > 0


async def judgement(connection: asyncpg.Connection, book: Ledger, records: Sequence[Row]) -> Judgement:
    made = Judgement(book, records, await journal(connection, "orchestrator"), await journal(connection, "sender"))
    made.learn(records)
    return made


async def check_rest(found: Findings, connection: asyncpg.Connection) -> None:
    """At rest nobody is inside the journey, and no intent waits for a word of the sender."""
    for row in await connection.fetch("SELECT id::text AS id, state FROM orchestrator.person WHERE merged_into IS NULL"):
        state = msgspec.msgpack.decode(row["state"])
        runs, pending = state[5], state[9]
        if runs:
            found.add("intents.lost", f"{row['id']} is still inside, on step {runs[0][6]!r}")
        for intent in pending:
            found.add("state.differences", f"{row['id']} still waits to hear of {intent}")
