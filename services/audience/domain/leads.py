"""Applications told apart: new leads and repeats, whose lead one is, and which leads were ours by the last click only. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

HOUR_MS = 3_600_000
REPEATS = 0.10  # more of the people with an application repeat it after a letter: an alarm
HURRIED = 0.50  # more of a campaign's conversions come within an hour of a foreign lead: an alarm
FEW = 20  # conversions of a campaign below which nothing is said of it
BY = ("last_click", "origin", "assists")  # of each label
# Figures of a summary that open people, beside those by label.
WHOM = (
    "applications", "leads", "repeats", "people_again_after_letter", "cannibalised", "cannibalised.of", "cannibalised.after_lead",
    "cannibalised.after_paid_visit", "unattributed.last_click", "unattributed.origin",
)  # fmt: skip


class Application(NamedTuple):
    """at: ms; origin: the label of the first source that is not ours, None where there was none; last: the label of the last click, None
    where there was none; own: whether that was on a message of ours, of `campaign`; paid_at: the last paid visit before it.
    """

    person: int
    product: int
    at: int
    origin: int | None
    last: int | None
    own: bool
    campaign: int
    paid_at: int | None
    counted: bool  # in the period that is asked for; earlier ones are there to tell repeats


class Judged(NamedTuple):
    """label: to whom the credit stays; lead_at: of the lead that it repeats, None: it is a lead itself. after_lead: it was credited to us
    by the last click though an earlier lead of this person and product came from elsewhere; after_visit: though a paid visit came before.
    foreign_ms: how long after that foreign lead.
    """

    application: Application
    label: int | None
    lead_at: int | None
    after_lead: bool
    after_visit: bool
    foreign_ms: int | None


def judged(applications: Iterable[Application], closed: Mapping[int, Sequence[int]], window: int) -> Iterator[Judged]:
    """Each application, in the order of person and time. closed: sales of a person (ms, in order), which end his open leads; window: ms
    for which a lead stays open.
    """
    leads: dict[tuple[int, int], Application] = {}
    person = None
    for one in applications:
        if one.person != person:
            leads, person = {}, one.person
        lead = leads.get((one.person, one.product))
        open_ = lead is not None and one.at - lead.at < window and not _sold(closed.get(one.person, ()), lead.at, one.at)
        foreign = lead if open_ and lead is not None and _foreign(lead) else None
        visited = one.paid_at is not None and one.at - one.paid_at < window
        label = one.origin if one.origin is not None else one.last
        if open_ and lead is not None:
            label = lead.origin if lead.origin is not None else lead.last
        else:
            leads[one.person, one.product] = one
        yield Judged(
            one, label, lead.at if open_ and lead is not None else None, one.own and foreign is not None, one.own and visited,
            None if foreign is None else one.at - foreign.at,
        )  # fmt: skip


def _foreign(lead: Application) -> bool:
    return lead.origin is not None or (lead.last is not None and not lead.own)


def _sold(sales: Sequence[int], since: int, until: int) -> bool:
    place = bisect_right(sales, since)
    return place < len(sales) and sales[place] <= until


class Summary:
    """What became of the applications of the period. whom: the people of each figure, by its name."""

    def __init__(self, labels: Sequence[str], campaigns: Sequence[str]) -> None:
        self._labels, self._campaigns = labels, campaigns
        self.applications = self.leads = self.own = self.after_lead = self.after_visit = self.cannibalised = 0
        by = (f"{what}.{name}" for what in BY for name in labels)
        self.whom: dict[str, set[int]] = {name: set() for name in (*WHOM, *by)}
        self._by = {name: [0] * len(BY) for name in labels}
        self._nobody = [0, 0]
        self._of: dict[int, list[int]] = {}  # campaign -> conversions, those within an hour of a foreign lead

    def add(self, one: Judged) -> None:
        asked = one.application
        if not asked.counted:
            return
        self.applications += 1
        repeat = one.lead_at is not None
        self._tally(asked, asked.last, 0)
        if not repeat:
            self.leads += 1
            self._tally(asked, one.label, 1)
        if asked.own and asked.last is not None and (repeat or one.label != asked.last):
            self._tally(asked, asked.last, 2)
        holds = {
            "applications": True, "leads": not repeat, "repeats": repeat, "people_again_after_letter": repeat and asked.own,
            "cannibalised": one.after_lead or one.after_visit, "cannibalised.of": asked.own, "cannibalised.after_lead": one.after_lead,
            "cannibalised.after_paid_visit": one.after_visit,
        }  # fmt: skip
        for name in (name for name, true in holds.items() if true):
            self.whom[name].add(asked.person)
        if asked.own:
            self._ours(one)

    def _ours(self, one: Judged) -> None:
        self.own += 1
        self.after_lead += one.after_lead
        self.after_visit += one.after_visit
        self.cannibalised += one.after_lead or one.after_visit
        of = self._of.setdefault(one.application.campaign, [0, 0])
        of[0] += 1
        of[1] += one.foreign_ms is not None and one.foreign_ms < HOUR_MS

    def _tally(self, one: Application, label: int | None, place: int) -> None:
        if label is None:
            self._nobody[place] += 1
            self.whom[f"unattributed.{BY[place]}"].add(one.person)
        else:
            self._by[self._labels[label]][place] += 1
            self.whom[f"{BY[place]}.{self._labels[label]}"].add(one.person)

    def told(self) -> dict[str, object]:
        people, again = len(self.whom["applications"]), len(self.whom["people_again_after_letter"])
        share = again / people if people else None
        rows = [
            {"label": name, "last_click": last, "origin": origin, "moved": origin - last, "assists": assists}
            for name, (last, origin, assists) in sorted(self._by.items()) if last or origin or assists
        ]  # fmt: skip
        return {
            "applications": self.applications, "leads": self.leads, "repeats": self.applications - self.leads,
            "people": people, "people_again_after_letter": again, "repeat_share": share,
            "cannibalised": {
                "count": self.cannibalised, "of": self.own, "share": self.cannibalised / self.own if self.own else None,
                "after_lead": self.after_lead, "after_paid_visit": self.after_visit,
            },
            "by": rows, "unattributed": {"last_click": self._nobody[0], "origin": self._nobody[1]},
            "alarms": list(self._alarms(share)),
        }  # fmt: skip

    def _alarms(self, share: float | None) -> Iterator[dict[str, object]]:
        if share is not None and share > REPEATS:
            yield {"code": "repeats", "share": share, "limit": REPEATS}
        for campaign, (count, hurried) in sorted(self._of.items()):
            if count >= FEW and hurried / count > HURRIED:
                yield {
                    "code": "behind_foreign_leads",
                    "campaign": self._campaigns[campaign],
                    "share": hurried / count,
                    "limit": HURRIED,
                }
