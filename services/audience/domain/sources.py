"""Where somebody came from: the channel of a click or a visit, by what its link said. Pure."""

import re
from collections.abc import Collection
from typing import NamedTuple

CRM = "crm"
# What `utm_medium` says of the channel, the first that fits, and whether that is a message of ours.
MEDIUMS = tuple(
    (re.compile(form), name, own)
    for form, name, own in (
        (r"cpc|ppc|cpm|cpa|cpv|cpo|paid.*|display|banner|retargeting|remarketing|ads?|context|target", "paid", False),
        (r"e-?mail|newsletter", "email", True),
        (r"sms", "sms", True),
        (r"push|web_?push|mobile_?push", "push", True),
        (r"telegram|vk_?message|messenger|whatsapp|viber|bot", "messenger", True),
        (r"social.*|smm", "social", False),
        (r"affiliate|partner.*|cpl", "affiliate", False),
        (r"organic", "organic", False),
        (r"referral", "referral", False),
    )
)


class Said(NamedTuple):
    """clicked: on a message of ours, `medium` is its channel then; ad: which advertiser's click id stood in the address, "" none."""

    clicked: bool
    medium: str
    source: str
    campaign: str
    ad: str


class Source(NamedTuple):
    """own: by a message of ours; campaign: its name there, a document's for our own clicks."""

    channel: str
    source: str
    campaign: str
    own: bool

    @property
    def group(self) -> str:
        """Touches of one group that follow each other are one."""
        return f"{self.channel}: {self.campaign}"

    def label(self, level: str) -> str:
        """What is credited at this level of the report."""
        if level == "source":
            return self.source or self.channel
        if level == "campaign":
            return self.group if self.campaign else self.channel
        if level == "document":
            return self.campaign if self.own and self.campaign else self.channel
        return self.channel


def source_of(said: Said, own: Collection[str]) -> Source:
    """own: sources of links that are ours, in small letters. An advertiser's click id outweighs whatever else the link says."""
    if said.clicked:
        return Source(said.medium, "", said.campaign, own=True)
    source, medium = (said.source or said.ad).lower(), said.medium.lower()
    if said.ad:
        return Source("paid", source, said.campaign, own=False)
    found = next(((name, crm) for form, name, crm in MEDIUMS if form.fullmatch(medium)), None)
    if found is None:
        return Source(CRM if source in own else "other", source, said.campaign, own=source in own)
    return Source(found[0], source, said.campaign, own=found[1] or source in own)
