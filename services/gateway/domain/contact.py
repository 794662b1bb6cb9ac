"""Whether what documents say about contact makes sense: windows that overlap or never open, caps that never act, and what waits for nothing."""

from collections.abc import Iterable, Iterator, Sequence

from schemas.campaigns import Campaign
from schemas.contact import DAY, SendWindow, joined, spans_of
from schemas.documents import duration_ms
from schemas.journeys import Journey
from schemas.rules import Cap, QuietHours, Rule
from schemas.steps import Cascade, Send
from services.gateway.domain.problems import Fault

HOUR = 3_600_000
LONGEST = {"day": DAY + HOUR, "week": 7 * DAY + HOUR, "month": 31 * DAY + HOUR}  # where the clocks are put back within it


def faults_of_rule(rule: Rule) -> Iterator[Fault]:
    """All at once."""
    if rule.quiet_hours is not None and rule.quiet_hours.start == rule.quiet_hours.end:
        yield Fault("quiet_hours.to", "quiet_never")
    if len(set(rule.exclusive_day)) == 1:
        yield Fault("exclusive_day", "one_class")
    yield from _caps(rule.caps)
    scopes = [(w.message_class, w.brand, w.channel, w.topic) for w in rule.windows]
    for scope in dict.fromkeys(scopes):
        places = [place for place, other in enumerate(scopes) if other == scope]
        yield from _overlaps("windows", {place: rule.windows[place] for place in places})
    yield from _never_open(rule)


def faults_of_journey(journey: Journey) -> Iterator[Fault]:
    yield from _overlaps("windows", dict(enumerate(journey.windows or ())))
    marketing = False
    for place, step in enumerate(journey.steps):
        if isinstance(step, Send | Cascade) and step.message_class == "service":
            own = (name for name in ("priority", "windows") if getattr(step, name) is not None)
            yield from (Fault(f"steps.{place}.{name}", "service_waits_not") for name in own)
        elif isinstance(step, Send | Cascade):
            marketing = True
            yield from _overlaps(f"steps.{place}.windows", dict(enumerate(step.windows or ())))
    if not marketing:
        own = (name for name in ("priority", "windows", "control") if getattr(journey, name) is not None)
        yield from (Fault(name, "no_marketing") for name in own)


def faults_of_campaign(campaign: Campaign) -> Iterator[Fault]:
    yield from _overlaps("windows", dict(enumerate(campaign.windows or ())))
    if campaign.message_class == "service":
        own = (name for name in ("priority", "windows") if getattr(campaign, name) is not None)
        yield from (Fault(name, "service_waits_not") for name in own)


def shut(windows: Iterable[SendWindow], quiet: Sequence[QuietHours]) -> bool:
    """Does the night leave nothing of any of these?"""
    nights = joined(span for night in quiet for span in _night(night))
    return all(any(a <= start and end <= b for a, b in nights) for start, end in spans_of(tuple(windows)))


def shut_by_others(rules: Iterable[Rule], journeys: Iterable[Journey]) -> list[Fault]:
    """Windows in force of which the quiet hours of all rules together leave nothing."""
    rules = list(rules)
    nights = [rule.quiet_hours for rule in rules if rule.quiet_hours is not None]
    windows: list[tuple[str, Sequence[SendWindow]]] = [
        (f"rules.{rule.key}.windows.{place}", [window]) for rule in rules for place, window in enumerate(rule.windows)
    ]
    for journey in journeys:
        steps = [(f".steps.{place}", step) for place, step in enumerate(journey.steps) if isinstance(step, Send | Cascade)]
        own = [("", journey.windows), *((path, step.windows) for path, step in steps)]
        windows += [(f"journeys.{journey.key}{path}.windows", given) for path, given in own if given]
    return [Fault(path, "window_quiet") for path, given in windows if nights and shut(given, nights)]


def _night(quiet: QuietHours) -> tuple[tuple[int, int], ...]:
    if quiet.start == quiet.end:
        return ()
    return spans_of((SendWindow.model_validate({"from": quiet.start, "to": quiet.end}),))


def _never_open(rule: Rule) -> Iterator[Fault]:
    if rule.quiet_hours is not None:
        for place, window in enumerate(rule.windows):
            if shut([window], [rule.quiet_hours]):
                yield Fault(f"windows.{place}", "window_quiet")


def _overlaps(path: str, windows: dict[int, SendWindow]) -> Iterator[Fault]:
    """Each window that has time in common with one before it."""
    seen: list[tuple[int, SendWindow]] = []
    for place, window in windows.items():
        other = next((number for number, one in seen if _common(one, window)), None)
        if other is not None:
            yield Fault(f"{path}.{place}", "window_overlaps", params={"other": f"{path}.{other}"})
        seen.append((place, window))


def _common(one: SendWindow, other: SendWindow) -> bool:
    return any(a < d and c < b for a, b in spans_of((one,)) for c, d in spans_of((other,)))


def _caps(caps: Sequence[Cap]) -> Iterator[Fault]:
    """A name that stands there twice, and a cap that another one is stricter than wherever it acts."""
    for place, cap in enumerate(caps):
        before = caps[:place]
        if any(other.name == cap.name for other in before):
            yield Fault(f"caps.{place}.name", "twice")
        stricter = [other for other in caps if other is not cap and _outdoes(other, cap)]
        stricter = [other for other in stricter if other in before or not _outdoes(cap, other)]  # of two alike the later one
        if stricter:
            yield Fault(f"caps.{place}", "cap_idle", params={"other": stricter[0].name, "most": stricter[0].most})


def _outdoes(one: Cap, other: Cap) -> bool:
    """Does `one` hold back all that `other` would?"""
    scope = ("brand", "channel", "topic", "who")
    covers = one.message_class == other.message_class and all(getattr(one, n) in (None, getattr(other, n)) for n in scope)
    return covers and one.most <= other.most and _contains(one, other)


def _contains(one: Cap, other: Cap) -> bool:
    """Is every window of `other` within one of `one`'s?"""
    if one.within is not None:
        return duration_ms(one.within) >= (duration_ms(other.within) if other.within is not None else LONGEST[other.per or "month"])
    return other.per == one.per or (other.per == "day" and one.per is not None)
