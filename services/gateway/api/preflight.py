"""The check of a campaign's draft before it is launched: everything that is wrong, at once, on some of its people."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from schemas.campaigns import LETTER, Campaign
from schemas.rules import LinkRule, Rule
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain import preflight
from services.gateway.domain.kinds import KINDS, read, text_of
from services.gateway.domain.preflight import Findings
from services.gateway.domain.problems import Fault, Language, Problem
from services.gateway.domain.references import check
from services.gateway.handler.call import Call
from services.gateway.handler.finding import seen
from services.gateway.store import documents

CAMPAIGN, RULE = KINDS["campaign"], KINDS["rule"]
PATIENCE_S = 5.0  # for templates that are on their way to the sender, of all letters together
MOST_PAGES = 50  # that are asked whether they are there: as many as the sender takes
NOBODYS = str(UUID(int=0))  # links are signed with the id of their message


class Gathered(NamedTuple):
    """What is known before anybody is asked. versions: of the templates in force; links: what rules say of addresses in letters."""

    campaign: Campaign
    faults: list[Fault]
    versions: Mapping[str, int]
    links: Sequence[LinkRule]
    language: Language


async def gathered(call: Call, key: str) -> Gathered:
    """Raises Problem: there is no draft, or what is written is no campaign."""
    draft = await seen(call, CAMPAIGN, key)
    campaign = read(CAMPAIGN, key, draft.body)
    assert isinstance(campaign, Campaign)
    world = await documents.world(call.connection)
    versions = {name: standing.version for (kind, name), standing in world.items() if kind == "template"}
    rules = [Rule.model_validate(body) for _, body in sorted((await documents.of_kind(call.connection, RULE.name)).items())]
    links = [link for rule in rules for link in rule.links if link.brand in (None, campaign.brand)]
    return Gathered(campaign, check(CAMPAIGN.name, key, campaign, world), versions, links, call.language)


async def checked(known: Gathered, neighbours: Neighbours) -> dict[str, Any]:
    """{ok, errors, warnings, audience, letters}: as a marketer may mend it."""
    checking = _Checking(known, neighbours)
    await checking.people()
    await checking.letters()
    await checking.pages()
    await checking.rules()
    errors, warnings = checking.found
    return {
        "ok": not known.faults and not errors,
        "errors": [fault.told(known.language) for fault in (*known.faults, *errors)],
        "warnings": [fault.told(known.language) for fault in warnings],
        "audience": {"count": checking.count, "tried": len(checking.sample)},
        "letters": checking.shown,
    }


class _Checking:
    """One check: what was found so far."""

    def __init__(self, known: Gathered, neighbours: Neighbours) -> None:
        self._campaign, self._links, self._versions = known.campaign, known.links, known.versions
        self._neighbours = neighbours
        self._apart: dict[int, int] = {}  # rule of links, by its place -> how many of the audience it keeps them from
        self.found = Findings([], [])
        self.count: int | None = None
        self.sample: list[str] = []
        self.shown: list[dict[str, Any]] = []
        self._pages: dict[str, str] = {}  # that may be asked whether they are there -> where the letter is named
        self._personal: dict[str, str] = {}

    async def people(self) -> None:
        """How many there are, and some of them."""
        found = await self._tell(
            "audience", "/audience/preview", "audience", condition=self._audience(), brands=[self._campaign.brand]
        )
        if found is None:
            return
        self.count, self.sample = found["count"], list(found["sample"])
        if not self.count:
            self.found.warnings.append(Fault("audience", "nobody"))

    async def letters(self) -> None:
        time = asyncio.get_running_loop().time
        until = time() + PATIENCE_S
        for place, (variant, template) in enumerate(self._campaign.letters.items()):
            path = f"variants.{place}.template" if self._campaign.variants else "template"
            if template not in self._versions:
                continue  # it is said already that there is none
            asked = {"intent": self._intent(template), "people": self.sample, "wait_s": max(0.0, until - time())}
            trial = await self._tell("sender", "/letters/trial", path, **asked)
            if trial is None:
                continue
            found = preflight.of_letter(path, self._campaign, trial)
            self.found.errors.extend(found.errors)
            self.found.warnings.extend(fault for fault in found.warnings if fault not in self.found.warnings)
            await self._of_links(path, trial["links"])
            fixed, personal = preflight.to_ask(trial["links"], trial["fixed"])
            self._pages = {**dict.fromkeys(fixed, path), **self._pages}
            self._personal = {**dict.fromkeys(personal, path), **self._personal}
            self.shown.append(
                {"variant": variant, "template": template, **{k: trial[k] for k in ("people", "bytes", "links", "missing")}}
            )

    async def pages(self) -> None:
        """Whether they are there. An installation that makes no such calls says nothing of them."""
        asked = list(self._pages)[:MOST_PAGES]
        found = await self._tell("sender", "/links/check", "template", links=asked) if self._pages or self._personal else None
        if found is None or not found["on"]:
            return
        for link, path in self._pages.items():
            if link in found["links"]:
                told = preflight.of_pages(path, {link: found["links"][link]})
                self.found.errors.extend(told.errors)
                self.found.warnings.extend(told.warnings)
            else:
                self.found.warnings.append(Fault(path, "link_too_many", params={"link": link, "most": MOST_PAGES}))
        self.found.warnings.extend(Fault(path, "link_differs", params={"link": link}) for link, path in self._personal.items())

    async def rules(self) -> None:
        """Whom they would hold back, were it launched as it says."""
        campaign = text_of(self._campaign)
        found = await self._tell(
            "orchestrator", "/launches/supposed", "audience", campaign=campaign, people=self.sample, at=self._campaign.starts_at(0)
        )
        if found is not None:
            self.found.warnings.extend(preflight.of_rules(found["people"]))

    async def _of_links(self, path: str, links: Sequence[str]) -> None:
        for place, rule in enumerate(self._links):
            meant = preflight.meant(links, rule)
            if meant and place not in self._apart:
                them = {"kind": "all", "of": [self._audience(), {"kind": "segment", "key": rule.segment}]}
                found = await self._tell("audience", "/audience/preview", path, condition=them, brands=[self._campaign.brand])
                self._apart[place] = found["count"] if found else 0
            for link in meant if self._apart.get(place) else ():
                params = {"link": link, "segment": rule.segment, "name": rule.name, "people": self._apart[place]}
                self.found.errors.append(Fault(path, "link_not_for_them", params=params))

    def _audience(self) -> dict[str, Any]:
        body = text_of(self._campaign)
        if "exclude" not in body:
            return dict(body["audience"])
        return {"kind": "all", "of": [body["audience"], {"kind": "not", "of": body["exclude"]}]}

    def _intent(self, template: str) -> dict[str, Any]:
        one = self._campaign
        return {
            "id": NOBODYS, "brand": one.brand, "profile": NOBODYS, "channel": one.channel, "message_class": one.message_class, "template": template,
            "template_version": self._versions[template], "document": f"campaign:{one.key}", "version": 0, "step": LETTER, "occurrence": "",
            "not_after": 2**53, "received_at": 2**53, "topic": one.topic, "data": {"campaign": {"key": one.key}, "run": {"started_at": 0, "time_zone": "UTC"}},
        }  # fmt: skip

    async def _tell(self, service: str, path: str, where: str, **body: Any) -> Any:
        """The answer; None where there is none, and then it is said."""
        try:
            status, found = await self._neighbours.tell(service, path, body)
        except Problem:
            status, found = 503, None
        if status == 200:
            return found
        self.found.errors.append(Fault(where, "not_checked", params={"service": service}))
        return None
