"""What reports about ways ask for: attribution, funnels, cohorts and what follows from them. docs/attribution.md, docs/funnels.md."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.audience import Condition
from schemas.audience_nodes import Filter, Name, Node, Path, Problem
from schemas.reports import DAY_MS, Currency, Target, Window
from schemas.zones import names

LATEST = 253_370_678_400_000  # 9998-12-31: up to it the calendar of every zone knows the end of the year too
Instant = Annotated[int, Field(strict=True, ge=0, le=LATEST)]
Level = Literal["channel", "source", "campaign", "document"]
Unit = Literal["day", "week", "month", "quarter", "year"]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
OWN_SOURCES = ("crm", "otklik")
CAUSES = ("uplift", "аплифт", "lift from", "прирост от", "эффект")  # what no group of a cohort may be called
MOST_TRAFFIC = 200_000  # rows that go along with a question
# How long a click may be the last one before a conversion, by its channel (ms).
LAST_CLICK: Mapping[str, int] = {"email": 7 * DAY_MS, "push": DAY_MS, "sms": 3 * DAY_MS}


class Visits(Node):
    """Visits of one day that were bought or came, and what they cost: what reports tell apart of them. day: `2026-03-31`; landing: which kind of
    page they came to (`product`, `content`, ...); cost: whole minor units of `currency`.
    """

    day: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]
    landing: Annotated[str, StringConstraints(max_length=60)] = ""
    visits: Annotated[int, Field(strict=True, ge=0, le=2**53)]
    cost: Annotated[int, Field(strict=True, ge=0, le=2**53)] = 0
    currency: Currency | None = None

    def problems(self) -> Iterator[Problem]:
        if self.cost and self.currency is None:
            yield "currency", "missing", "a cost needs its currency"


class Spend(Visits):
    """The same as it is imported: of one brand, source and campaign."""

    brand: Label
    source: Label
    campaign: Annotated[str, StringConstraints(max_length=200)] = ""


class Asked(Node):
    """Of every report here. since, until: UTC ms, since <= t < until. brands: facts of these alone; none: of all. zone: whose days, weeks
    and months are meant.
    """

    since: Instant
    until: Instant
    brands: tuple[str, ...] = ()
    zone: Annotated[str, StringConstraints(max_length=60)] = "UTC"
    as_of: Instant | None = None
    traffic: Annotated[tuple[Visits, ...], Field(max_length=MOST_TRAFFIC)] = ()

    def problems(self) -> Iterator[Problem]:
        if self.until <= self.since:
            yield "until", "period", "the period ends before it begins"
        if self.zone not in names():
            yield "zone", "time_zone", "no time zone of this name"


class Leads(Node):
    """Conversions are applications. product: the property that names the product family; a second one of a person for the same product
    within `repeat` of his first is a repeat, unless `closed` (the event of a sale) came between. first_hour: what counts as right behind a
    foreign lead.
    """

    product: Annotated[Path, Field(min_length=1)] | None = None
    repeat: Window = 30 * DAY_MS
    closed: Name | None = None


class ByLastClick(Asked):
    """last: by channel, how long a click on it may be the last one; `other` for channels that are not named. own: sources of links that are ours."""

    last: Mapping[Label, Window] = Field(default_factory=dict)
    own: Annotated[tuple[Label, ...], Field(max_length=50)] = OWN_SOURCES

    def window_of(self, channel: str) -> int:
        """How long a click on this channel may be the last (ms)."""
        asked = self.last.get(channel, self.last.get("other"))
        return asked if asked is not None else LAST_CLICK.get(channel, 30 * DAY_MS)

    @property
    def longest(self) -> int:
        """How long any click may be (ms)."""
        return max(self.window_of(name) for name in (*LAST_CLICK, "other", *self.last))


class Attribution(ByLastClick):
    """target: what is credited; its `window` is how far back touches count for linear, position and Markov. first: the same for first
    touch. key: the property that names a conversion (an order's number): facts with one key are one conversion, at the first one's moment with
    the last one's value.
    """

    target: Target
    first: Window = 90 * DAY_MS
    key: Annotated[Path, Field(min_length=1)] | None = None
    level: Level = "channel"
    leads: Leads | None = None


class Step(Node):
    """A step of a funnel: a fact of this name that passes all the tests."""

    event: Name
    where: Annotated[tuple[Filter, ...], Field(max_length=20)] = ()
    name: Label | None = None

    @property
    def title(self) -> str:
        return self.name or self.event


class Funnel(Asked):
    """Steps in order, each later than the one before and all within `window` of the first. by: a property of the fact by which somebody
    enters, or `attribute:<name>`. cohorts: of which periods. landing: the kind of landing whose traffic leads into it.
    """

    steps: Annotated[tuple[Step, ...], Field(min_length=2, max_length=20)]
    window: Window = 30 * DAY_MS
    by: Annotated[str, StringConstraints(max_length=200)] | None = None
    cohorts: Unit = "month"
    landing: Label | None = None


class Stages(Asked):
    """The ready funnel C0 to C3. visit: whose persons are counted where no traffic was imported; landing: its property that says to which
    kind of page. mature: after how long a cohort's sales and repeat applications are complete.
    """

    registration: Step = Step(event="Signed Up")
    application: Step = Step(event="Application Submitted")
    sale: Step = Step(event="Order Completed")
    visit: Step = Step(event="Page Viewed")
    landing: Annotated[Path, Field(min_length=1)] = "landing"
    product_landing: Label = "product"
    cohorts: Unit = "month"
    mature_sale: Window = 60 * DAY_MS
    mature_repeat: Window = 90 * DAY_MS


class Group(Node):
    """People of a cohort of whom a condition is true."""

    name: Label
    condition: Condition

    def problems(self) -> Iterator[Problem]:
        if any(word in self.name.lower() for word in CAUSES):
            yield "name", "correlation", "a cohort shows who differs, not what came of it: name the group by what its people are"


class Cohort(Asked):
    """Among people of whom `among` is true, registered from `since` on (their first `registered` fact): how groups of them differ. Groups:
    those given, or by how often they opened (`opened`): up to `few` times against more. product: the property of a purchase that names the
    class of the product; usage: whose days are days of use. outlier: how many times the mean of those who have anything is too much; below:
    also less than a part of it. landmark: only opens within this time of registration count for the group, and only what came after it for
    the outcome.
    """

    among: Condition
    registered: Step = Step(event="Signed Up")
    purchase: Target = Target(event="Order Completed", value="total")
    opened: Step = Step(event="Email Opened")
    few: Annotated[int, Field(ge=0, le=1000)] = 1
    groups: Annotated[tuple[Group, ...], Field(max_length=10)] = ()
    product: Annotated[Path, Field(min_length=1)] | None = None
    usage: Step | None = None
    outlier: Annotated[int, Field(ge=2, le=1000)] = 10
    below: bool = False
    landmark: Window | None = None


class Touchpoints(Asked):
    """purchase: whose first is looked at; window: how far before it touch points count. shown, left: facts of a touch point, which `place`
    names; registered: what people do later.
    """

    purchase: Target = Target(event="Order Completed", value="total")
    window: Window = 90 * DAY_MS
    shown: Step = Step(event="Popup Shown")
    left: Step = Step(event="Contact Left")
    place: Annotated[Path, Field(min_length=1)] = "touchpoint"
    registered: Step = Step(event="Signed Up")
    own: Annotated[tuple[Label, ...], Field(max_length=50)] = OWN_SOURCES


class Channels(ByLastClick):
    """Revenue by what led to it. teams: which documents (journeys, campaigns) are whose; sales: facts by which a manager works on a deal. key:
    the property that names a conversion, as of attribution: facts with one key are one, at the first one's moment with the last one's value.
    """

    target: Target = Target(event="Order Completed", value="total")
    key: Annotated[Path, Field(min_length=1)] | None = None
    teams: Mapping[str, Label] = Field(default_factory=dict)
    sales: Step | None = None
    sales_window: Window = 30 * DAY_MS
    by: Unit = "quarter"


class Lifetime(Asked):
    """Cohorts by the period of the first `start` fact: revenue a person, and who is still there, by periods of age."""

    start: Step = Step(event="Order Completed")
    back: Step | None = None
    purchase: Target = Target(event="Order Completed", value="total")
    cohorts: Literal["week", "month", "quarter", "year"] = "month"
    periods: Annotated[int, Field(ge=1, le=120)] = 12
