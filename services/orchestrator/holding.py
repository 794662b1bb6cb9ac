"""What the orchestrator keeps of a person, for his copy of it."""

from collections.abc import Sequence
from typing import Any

from runtime.db import Connection
from services.orchestrator.domain import state
from services.orchestrator.domain.state import Held, Letter, Parked, Person, Reservation, Run, Talk, Trying

STATES = "SELECT state FROM person WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL AND state <> ''"
CODES = """
SELECT number, pool, journey, step, given_at, used_at, used_in FROM promo_code
WHERE given_to = ANY($1::uuid[]) OR used_by = ANY($1::uuid[]) ORDER BY number
"""
MAILINGS = """
SELECT launch::text AS launch, verdict, rule, variant, became FROM recipient
WHERE launch = ANY(SELECT DISTINCT launch FROM launch_partition) AND id = ANY($1::uuid[]) ORDER BY launch
"""
REGISTRATIONS = """
SELECT event, status, online, seated, rank, place, said_at, coming, answers, home, code, told, others
FROM registration WHERE profile = ANY($1::uuid[]) ORDER BY event, place
"""
OUTCOMES = {state.OPEN: "", state.DOUBT: "in_doubt", state.KEPT: "sent"}  # of a place in the caps


async def held(connection: Connection, people: Sequence[str]) -> dict[str, Any]:
    """As `told`, of all whom these are by now, and promo_codes: those that he was given or has used; mailings: the launches
    of campaigns that they belong to, became: bits of the table's column; registrations: for events, answers and others as JSON.
    """
    known = told([state.decode(row["state"]) for row in await connection.fetch(STATES, list(people))])
    return {
        **known,
        "promo_codes": [dict(row) for row in await connection.fetch(CODES, list(people))],
        "mailings": [dict(row) for row in await connection.fetch(MAILINGS, list(people))],
        "registrations": [dict(row) for row in await connection.fetch(REGISTRATIONS, list(people))],
    }


def told(people: Sequence[Person]) -> dict[str, Any]:
    """{runs, waiting, dialogues, caps, known}: his ways through journeys, messages that may come back to be decided again, dialogues
    with bots, places in the caps, and what is known of him. Times in ms. All that is kept, but for places in the log.
    """
    return {
        "runs": [_run(run) for person in people for run in person.runs],
        "waiting": [
            {
                "intent": intent,
                **_run(pending.run),
                "step": pending.step,
                "attempt": pending.attempt,
                "first_try_at": pending.first_try,
                "next_at": pending.due_at,
                "until_at": pending.until,
                "held": pending.held,
                "joined": pending.joined,
                "gate": pending.parked,
            }
            for person in people
            for intent, pending in person.pending.items()
        ],
        "dialogues": [_talk(talk) for person in people for talk in person.talks],
        "caps": [_place(one) for person in people for one in person.reservations],
        "known": [_known(person) for person in people],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "journey": run.journey,
        "version": run.version,
        "brand": run.brand,
        "step": run.step,
        "occurrence": run.occurrence,
        "occurred_at": run.trigger_at,
        "started_at": run.started_at,
        "reached_at": run.since,
        "next_at": run.due_at,
        "taken": run.taken,
        "done": run.done,
        "held": run.held,
        "home": run.home,
        "data": run.data,
        "letters": [{"step": step, **_letter(one)} for step, one in run.letters.items()],
        "control_of": run.control,
        "exposed": run.exposed,
        "cascade": _trying(run.cascade) if run.cascade else None,
        "migration": run.asked,
        "parked": _parked(run.parked),
    }


def _letter(letter: Letter) -> dict[str, Any]:
    return {"intent": letter.intent, "became": letter.became, "others": letter.others}


def _trying(at: Trying) -> dict[str, Any]:
    """left: the channels that are still to be tried, that at hand first."""
    letter = _letter(at.letter) if at.letter else None
    behind = [_letter(one) for one in at.behind]
    return {"left": at.left, "place": at.place, "letter": letter, "at": at.at, "behind": behind}


def _parked(parked: Parked | None) -> dict[str, Any] | None:
    return {"at": parked.at, "gate": parked.gate, "next_at": parked.due_at} if parked is not None else None


def _talk(talk: Talk) -> dict[str, Any]:
    """answers: question -> [value, points]."""
    return {
        "bot": talk.bot,
        "version": talk.version,
        "brand": talk.brand,
        "dialogue": talk.dialogue,
        "begun_by": talk.run,
        "step": talk.step,
        "moved_at": talk.at,
        "tries": talk.tries,
        "home": talk.home,
        "answers": talk.answers,
    }


def _place(one: Reservation) -> dict[str, Any]:
    return {
        "class": one.message_class,
        "brand": one.brand,
        "at": one.at,
        "until_at": one.until,
        "intent": one.intent,
        "attempt": one.attempt,
        "state": OUTCOMES[one.state],
        "channel": one.channel,
        "topic": one.topic,
        "cascade": one.cascade,
    }


def _known(person: Person) -> dict[str, Any]:
    """entries, goals: of each journey, or journey and value, the last. parted, mine, shared, introduced: what unmerges left. heard: when
    facts last occurred for which journeys wait. appointments: when journeys that go by a schedule come next; days from 1970-01-01.
    """
    return {
        "zone": _dated(person.zone),
        "language": _dated(person.language),
        "preferred_channel": _dated(person.preferred),
        "bucketing": _dated(person.bucketing),
        "reach": person.reach,
        "segments": person.segments,
        "entries": [{"journey": name, "at": at} for name, at in person.entries.items()],
        "goals": [{"journey": name, "at": at} for name, at in person.goals.items()],
        "bought": person.bought,
        "agreed": person.agreed,
        "parted": [{"home": home, "profile": other} for home, other in person.parted.items()],
        "mine": [{"home": home, "profile": other} for home, other in person.mine.items()],
        "shared": [{"intent": intent, "profiles": others} for intent, others in person.shared.items()],
        "introduced": person.introduced,
        "campaigns": [{"launch": launch, "until_at": m.until, "went": m.went} for launch, m in person.campaigns.items()],
        "heard": [{"step": name, "at": at} for name, at in person.heard.items()],
        "appointments": [
            {"journey": name, "at": one.due, "day": one.day, "last_day": one.last} for name, one in person.appointments.items()
        ],
        "codes": [_held(one) for one in person.codes],
    }


def _held(one: Held) -> dict[str, Any]:
    """letters: messages under way that carry it."""
    return {
        "pool": one.pool,
        "number": one.number,
        "code": one.code,
        "at": one.at,
        "brand": one.brand,
        "journey": one.journey,
        "version": one.version,
        "step": one.step,
        "occurrence": one.occurrence,
        "home": one.home,
        "kept": one.kept,
        "lent": one.lent,
        "letters": [{"intent": intent, "attempt": attempt} for intent, attempt in one.letters.items()],
    }


def _dated(said: tuple[int, str] | None) -> dict[str, Any] | None:
    return {"at": said[0], "value": said[1]} if said is not None else None
