"""What the rules are tried on: journeys, several books of rules that follow each other, and what each rule asks for, read off the wall clock.

Nothing here is taken from the code that is tried but the verdicts and what is known of a person: every rule is counted anew and naively.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from schemas.ids import bucket
from schemas.messages import Intent
from schemas.unnamed import condition_key
from tests.orchestrator.sent import local
from tests.orchestrator.world import DAY, HOUR, journey, send, wait

MASS, SERVICE, TRIGGERED = ({"class": name} for name in ("mass", "service", "triggered"))
ALWAYS = {"reentry": {"mode": "always"}}
DAYTIME = ("06:00", "21:00")
JOURNEYS = (
    journey("chain", send("o1"), wait("w", "3h"), send("o2"), on="One", goal={"event": "Goal"}, priority="high"),
    journey(
        "order", wait("w", "3h"), send("t1", channel="sms"), send("t2", expires="12h"), on="Two", priority="low",
        reentry={"mode": "per", "per": "order"}, windows=[{"from": DAYTIME[0], "to": DAYTIME[1]}],
    ),
    journey("news", send("m", topic="sale", expires="2d", **MASS), on="Launch", priority="lowest", **ALWAYS),
    {**journey("outlet", send("p", expires="9h", **MASS), on="Outlet", **ALWAYS), "brand": "outlet"},
    journey("trial", send("c", **MASS), on="Trial", control={"share": 5000, "salt": "trial"}, **ALWAYS),
    journey("receipt", send("s", **SERVICE), on="Receipt", **ALWAYS),
)  # fmt: skip
PRIORITY = {"chain": 75, "order": 25, "news": 0, "outlet": 50, "trial": 50}
EXPIRES = {"o1": 3 * DAY, "o2": 3 * DAY, "t1": 3 * DAY, "t2": 12 * HOUR, "m": 2 * DAY, "p": 9 * HOUR, "c": 3 * DAY}
SEGMENT = {"kind": "segment", "key": "x"}


def cap(cls: str, most: int, **more: Any) -> dict[str, Any]:
    return {"name": f"{cls}{more}", "class": cls, "most": most, **more}


RULES: tuple[dict[str, Any], ...] = (
    {
        "caps": [cap("mass", 1, per="day"), cap("mass", 2, per="week"), cap("triggered", 2, within="36h")],
        "exclusive_day": ["triggered", "mass"],
        "quiet_hours": {"from": "21:00", "to": "09:00"},
        "compete": {"within": "3h"},
    },
    {
        "caps": [
            cap("mass", 1, within="3d", who=SEGMENT),
            cap("mass", 3, per="month"),
            cap("mass", 1, per="day", brand="shop"),
            cap("triggered", 1, per="day", channel="sms"),
            cap("mass", 1, within="24h", topic="sale"),
        ],
        "exclusive_day": ["triggered", "mass"],
        "windows": [{"class": "mass", "days": ["mon", "tue", "thu", "fri", "sat"], "from": "09:00", "to": "18:00"}],
        "global_control": {"share": 2500, "salt": "season"},
        "manager_only": SEGMENT,
    },
    {"compete": {"within": "6h"}, "quiet_hours": {"from": "00:00", "to": "06:00"}, "exclusive_day": ["triggered", "mass"]},
    {"caps": [cap("triggered", 1, per="day"), cap("mass", 1, within="12h")], "windows": [{"from": "18:00", "to": "03:00"}]},
)  # fmt: skip


@dataclass
class Letter:
    """An intent and what is so of it: called (the instant), whether its sender gave it back, and told (what it said last, and when); back: all that it ever said."""

    intent: Intent
    counts: list[str]
    called: int | None = None
    freed: bool = False
    told: str = ""
    told_at: int = 0
    back: list[tuple[Intent, str]] = field(default_factory=list)

    def real(self) -> tuple[int, int] | None:
        """The first and the last instant at which it went, or may yet go; None: it does not."""
        if self.called is not None:
            return self.called, self.called
        gone = self.freed or self.told == "in_doubt"  # who is in doubt has tried, and will not again
        return None if gone else (self.intent.received_at, self.intent.not_after)

    def known(self) -> tuple[int, int] | None:
        """The same as far as it was told."""
        if not self.told:
            return self.intent.received_at, self.intent.not_after
        if self.told in ("accepted", "in_doubt"):
            at = max(self.intent.received_at, min(self.told_at, self.intent.not_after))
            return at, at
        return None


Times = Sequence[tuple[Intent, int, int]]  # a letter of his, and from when to when it goes, went or may go


@dataclass
class Law:
    """One book of rules about one person in a zone. segments: those in which he stands."""

    rules: dict[str, Any]
    version: int
    zone: str
    segments: frozenset[str]
    bucketing: str | None

    def stands(self, part: str) -> bool:
        return condition_key("rule", "rules", self.version, part) in self.segments

    def barred(self) -> bool:
        control = self.rules.get("global_control")
        if "manager_only" in self.rules and self.stands("manager_only"):
            return True
        return bool(control and self.bucketing and bucket(control["salt"], self.bucketing) < control["share"])

    def blocking(self, intent: Any, at: int, mine: Times) -> set[str]:
        """The rules that forbid a message like this one to him at an instant. mine: all that was sent to him and counts, but this one."""
        found = set(self._by_clock(intent, at))
        day, cls = self.day(at), intent.message_class
        exclusive = self.rules.get("exclusive_day", ())
        if cls in exclusive and any(o.message_class != cls and self.day(a) <= day <= self.day(b) for o, a, b in mine):
            found.add("same_day")
        if self.compete and any(b > at - self.compete for _, _, b in mine):
            found.add("priority")
        for place, one in enumerate(self.rules.get("caps", ())):
            if "who" in one and not self.stands(f"cap_{place}"):
                continue
            if self._is_of(one, intent) and self._used(one, at, [t for t in mine if self._is_of(one, t[0])]) >= one["most"]:
                found.add(f"cap:{one['class']}:{one.get('per') or one['within']}")
        return found

    @property
    def compete(self) -> int:
        return int(self.rules.get("compete", {"within": "0h"})["within"][:-1]) * HOUR

    def day(self, at: int) -> date:
        return local(self.zone, at).date()

    def _by_clock(self, intent: Any, at: int) -> Iterator[str]:
        now = local(self.zone, at)
        quiet = self.rules.get("quiet_hours")
        if quiet and within(now, quiet["from"], quiet["to"]):
            yield "quiet_hours"
        windows = [w for w in self.rules.get("windows", ()) if w.get("class") in (None, intent.message_class)]
        own = [{"from": DAYTIME[0], "to": DAYTIME[1]}] if intent.document == "journey:order" else []
        for alternatives in (windows, own):
            if alternatives and not any(within(now, w["from"], w["to"], w.get("days")) for w in alternatives):
                yield "send_window"

    def _used(self, one: dict[str, Any], at: int, mine: Times) -> int:
        if "within" in one:
            hours = int(one["within"][:-1]) * (24 if one["within"].endswith("d") else 1)
            return sum(b > at - hours * HOUR for _, _, b in mine)
        period = PERIODS[one["per"]]
        return sum(period(self.day(a)) <= period(self.day(at)) <= period(self.day(b)) for _, a, b in mine)

    @staticmethod
    def _is_of(one: dict[str, Any], intent: Any) -> bool:
        wanted = {"message_class": one["class"], **{name: one[name] for name in ("brand", "channel", "topic") if name in one}}
        return all(getattr(intent, name) == value for name, value in wanted.items())


PERIODS: dict[str, Callable[[date], Any]] = {
    "day": lambda day: day,
    "week": lambda day: day.isocalendar()[:2],
    "month": lambda day: (day.year, day.month),
}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def within(now: datetime, start: str, end: str, days: Sequence[str] | None = None) -> bool:
    clock, on = now.strftime("%H:%M"), days or WEEKDAYS
    if start <= end:
        return start <= clock < end and WEEKDAYS[now.weekday()] in on
    return (clock >= start and WEEKDAYS[now.weekday()] in on) or (clock < end and WEEKDAYS[now.weekday() - 1] in on)
