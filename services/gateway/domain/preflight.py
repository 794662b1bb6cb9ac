"""What a campaign's letters would meet, out of what the services tell of some of its people: every fault at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from schemas.campaigns import Campaign
from schemas.rules import LinkRule
from services.gateway.domain.problems import Fault

GMAIL_BYTES = 102 * 1024
SCHEMES = frozenset(("http", "https", "mailto", "tel", "tg"))
GONE = frozenset((404, 410))
NOWHERE = {"refused": "no public address", "unresolved": "no such host", "redirects": "too many redirects, or to no page"}
WAITS = frozenset(("deferred", "would_have_sent", "skipped"))


class Findings(NamedTuple):
    """errors: what must be mended; warnings: what one should know."""

    errors: list[Fault]
    warnings: list[Fault]


def of_letter(path: str, campaign: Campaign, trial: Mapping[str, Any]) -> Findings:
    """One letter, as `POST /letters/trial` of the sender tells it."""
    errors, warnings, of = [], [], trial["people"]
    faults = dict(trial["faults"])
    if faults.pop("not_there_yet", None) is not None:
        errors.append(Fault(path, "not_there_yet"))
    for code, people in sorted(faults.items()):
        errors.append(Fault(path, "template_fault", params={"people": people, "of": of, "fault": code}))
    for name, people in sorted(trial["missing"].items()):
        errors.append(Fault(path, "variable_missing", params={"name": name, "people": people, "of": of}))
    for rule, people in sorted(trial["forbidden"].items()):
        warnings.append(Fault("audience", "forbidden", params={"people": people, "of": of, "rule": rule}))
    if campaign.channel == "email":
        if trial["bytes"] > GMAIL_BYTES:
            errors.append(Fault(path, "too_large", params={"bytes": trial["bytes"], "limit": GMAIL_BYTES}))
        if campaign.message_class != "service" and not trial["unsubscribes"]:
            errors.append(Fault(path, "no_unsubscribe"))
    errors += [Fault(path, "broken_link", params={"link": link, "why": why}) for link, why in broken(trial["links"])]
    return Findings(errors, warnings)


def broken(links: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(link, why) of those that lead nowhere by their form alone."""
    for link in links:
        try:
            parts = urlsplit(link)
            host = parts.hostname or ""
        except ValueError:
            yield link, "no address"
            continue
        if link.startswith("#"):
            continue
        if parts.scheme not in SCHEMES:
            yield link, "no scheme such as https"
        elif parts.scheme in ("http", "https") and ("." not in host or host.endswith((".", ".localhost", ".local"))):
            yield link, "no public host"


def to_ask(links: Sequence[str], fixed: Sequence[str]) -> tuple[list[str], list[str]]:
    """(pages that may be asked whether they are there, those that differ by person): of all that are pages by their form."""
    wrong = {link for link, _ in broken(links)}
    pages = [link for link in links if link not in wrong and link.partition(":")[0] in ("http", "https")]
    return [link for link in pages if link in fixed], [link for link in pages if link not in fixed]


def of_pages(path: str, told: Mapping[str, Mapping[str, Any]]) -> Findings:
    """What pages answered, as `POST /links/check` of the sender tells it. That one is not there is sure; others may only not like who asks."""
    errors, warnings = [], []
    for link, answer in told.items():
        status, why = answer.get("status", 0), answer.get("why", "")
        if status in GONE:
            errors.append(Fault(path, "broken_link", params={"link": link, "why": f"HTTP {status}"}))
        elif why in NOWHERE:
            errors.append(Fault(path, "broken_link", params={"link": link, "why": NOWHERE[why]}))
        elif status >= 400 or why:
            warnings.append(Fault(path, "link_answers", params={"link": link, "answer": f"HTTP {status}" if status else "-"}))
    return Findings(errors, warnings)


def of_rules(told: Sequence[Mapping[str, Any]]) -> list[Fault]:
    """Whom caps, quiet hours and the other rules would hold back, as `POST /launches/supposed` of the orchestrator tells it."""
    of = sum(one["people"] for one in told)
    return [Fault("audience", "displaced", params={**one, "of": of}) for one in told if one["verdict"] in WAITS]


def meant(links: Sequence[str], rule: LinkRule) -> list[str]:
    """The links that a rule speaks of."""
    return [link for link in links if any(part in link for part in rule.links)]
