"""The rules over everything that is sent, out of all published rule documents: every one of them holds."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from schemas.contact import Span, spans_of
from schemas.documents import clock_ms, duration_ms
from schemas.rules import Cap, Rule, RuleWindow
from schemas.unnamed import condition_key
from services.orchestrator.domain.zones import DAY, Window

PRIORITY = "priority"  # the rule by which a message lets a more important one go first
KEEP_MS = 35 * DAY  # longer than a month


class Limit(NamedTuple):
    """A cap. message_class "": of all marketing. brand, channel, topic None: counted over all. per: "day", "week" or "month"; or within:
    ms of a rolling window. who: the segment that answers whether it is for somebody, "" for everybody.
    """

    name: str
    rule: str
    message_class: str
    most: int
    brand: str | None
    per: str | None
    within: int
    channel: str | None = None
    topic: str | None = None
    who: str = ""


class Hours(NamedTuple):
    """When messages may go: only those of a class, brand, channel and topic, None: all. name: what the windows are of."""

    spans: tuple[Span, ...]
    name: str
    message_class: str | None = None
    brand: str | None = None
    channel: str | None = None
    topic: str | None = None


class Rules(NamedTuple):
    """quiet: windows, joined; exclusive: sets of classes that share no local day; controls: (share of 10,000, salt).

    keep: for how long (ms) a reservation counts in any of them. managers: segments whose people get no marketing; asks: all segments that
    must have answered about somebody before the rules are asked about him. hours: each holds for the messages that it is of. compete: for
    how long (ms) a marketing message that may be outdone waits, and keeps others off after it went; 0: they do not compete.
    """

    limits: tuple[Limit, ...] = ()
    exclusive: tuple[frozenset[str], ...] = ()
    quiet: tuple[Window, ...] = ()
    controls: tuple[tuple[int, str], ...] = ()
    keep: int = KEEP_MS
    managers: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    hours: tuple[Hours, ...] = ()
    compete: int = 0

    def about(self, stands: Callable[[str], bool]) -> "Rules":
        """Those that are for somebody. stands: in a segment."""
        if not self.asks:
            return self
        return self._replace(limits=tuple(limit for limit in self.limits if not limit.who or stands(limit.who)))


def joined(rules: Iterable[tuple[Rule, int]]) -> Rules:
    """What all these documents, of these versions, ask for together."""
    found = [
        (rule, {part: condition_key("rule", rule.key, version, part) for part, _, _ in rule.asks()}) for rule, version in rules
    ]
    limits = tuple(_limit(cap, keys.get(f"cap_{place}", "")) for rule, keys in found for place, cap in enumerate(rule.caps))
    compete = max((duration_ms(rule.compete.within) for rule, _ in found if rule.compete), default=0)
    spacing = (Limit("", PRIORITY, "", 1, None, None, compete),) if compete else ()
    return Rules(
        limits=limits + spacing,
        exclusive=tuple(frozenset(rule.exclusive_day) for rule, _ in found if len(set(rule.exclusive_day)) > 1),
        quiet=tuple((clock_ms(r.quiet_hours.start), clock_ms(r.quiet_hours.end)) for r, _ in found if r.quiet_hours),
        controls=tuple((r.global_control.share, r.global_control.salt) for r, _ in found if r.global_control),
        keep=max([KEEP_MS, *(limit.within for limit in limits)]),
        managers=tuple(keys["manager_only"] for _, keys in found if "manager_only" in keys),
        asks=tuple(key for _, keys in found for key in keys.values()),
        hours=tuple(hours for rule, _ in found for hours in _hours(rule)),
        compete=compete,
    )


def _hours(rule: Rule) -> Iterator[Hours]:
    scopes: dict[tuple[str | None, ...], list[RuleWindow]] = {}
    for window in rule.windows:
        scopes.setdefault((window.message_class, window.brand, window.channel, window.topic), []).append(window)
    for scope, windows in scopes.items():
        yield Hours(spans_of(tuple(windows)), rule.key, *scope)


def _limit(cap: Cap, who: str) -> Limit:
    window = cap.per or cap.within or ""
    within = duration_ms(cap.within) if cap.within else 0
    rule = f"cap:{cap.message_class}:{window}"
    return Limit(cap.name, rule, cap.message_class, cap.most, cap.brand, cap.per, within, cap.channel, cap.topic, who)
