"""What of a campaign's version is needed to decide it, and how its launches stand."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.campaigns import LETTER, Campaign, Launch, Local
from schemas.ids import bucket, derive
from schemas.steps import Send
from services.orchestrator.domain.zones import DAY, Zone

PREFIX = "campaign:"
PAUSED, STOPPED = "paused", "stopped"  # rules: the launch does not go on now, or at all
OF_A_SHARE = 100  # buckets of the 10,000
DIGITS = 15  # of a hash
PLACES = 16**DIGITS


@dataclass(frozen=True, slots=True)
class Mailing:
    """letters: variant -> its send step, all of one id, so that a person and an address get one of them; shares: (variant, up to which
    bucket). wall: when it starts by each person's own clock (ms, as if that were UTC's), else None. every_ms: from one message to the next.
    """

    key: str
    letters: Mapping[str, Send]
    shares: tuple[tuple[str, int], ...]
    control: int
    salt: str
    live: bool
    wall: int | None
    every_ms: float

    @property
    def exposes(self) -> bool:
        """Does chance say what somebody gets?"""
        return len(self.shares) > 1 or self.control > 0

    def controls(self, who: str) -> bool:
        """Is somebody, by his bucketing id, in the local control group?"""
        return self.control > 0 and bucket(f"{self.salt}.control", who) < self.control * OF_A_SHARE

    def variant(self, who: str) -> str:
        if len(self.shares) == 1:
            return self.shares[0][0]
        place = bucket(self.salt, who)
        return next(name for name, upto in self.shares if place < upto)


@dataclass(frozen=True, slots=True)
class Launched:
    """A launch that is under way, with its place among what is told of it (`revision`). conditions: what the segmenter must answer first."""

    id: str
    launch: Launch
    revision: int
    conditions: tuple[str, ...]
    mailing: Mailing

    @property
    def paused(self) -> bool:
        return self.launch.state == "paused"

    @property
    def stopped(self) -> bool:
        return self.launch.state == "stopped"

    @property
    def name(self) -> str:
        """As runs and plans call it."""
        return PREFIX + self.launch.campaign

    def comes_at(self, zone: Zone) -> int:
        """When it starts for somebody of this zone (ms)."""
        if self.mailing.wall is None:
            return self.launch.start_at
        return max(self.launch.start_at, zone.clock(*divmod(self.mailing.wall, DAY)))

    @property
    def last(self) -> int:
        """The instant after which it starts for nobody, in whatever zone (ms)."""
        return self.launch.start_at if self.mailing.wall is None else max(self.launch.start_at, self.mailing.wall + DAY)

    def place(self, who: str) -> int:
        """Somebody's place in the order by chance in which people are taken (of PLACES), by his bucketing id."""
        return int(derive("place", self.id, who).replace("-", "")[:DIGITS], 16)


def mailing(campaign: Campaign) -> Mailing:
    upto, shares = 0, []
    given = {v.name: v.share for v in campaign.variants} or {"": 100}
    for name, share in given.items():
        upto += share * OF_A_SHARE
        shares.append((name, upto))
    return Mailing(
        key=campaign.key,
        letters={name: _letter(campaign, template) for name, template in campaign.letters.items()},
        shares=tuple(shares),
        control=campaign.control,
        salt=campaign.salt or PREFIX + campaign.key,
        live=campaign.audience_at == "live",
        wall=campaign.start.wall_ms if isinstance(campaign.start, Local) else None,
        every_ms=campaign.throttle.every_ms if campaign.throttle else 0.0,
    )


def _letter(campaign: Campaign, template: str) -> Send:
    return Send(
        id=LETTER,
        template=template,
        channel=campaign.channel,
        message_class=campaign.message_class,
        topic=campaign.topic,
        expires=campaign.expires,
    )
