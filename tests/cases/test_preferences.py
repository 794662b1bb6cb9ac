"""C6, C7, P7: topics and their parts, the preference centre, double opt-in with its reminder, and who is purged."""

import re
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.cases.ready import MECHANICS, ready
from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, send, template

CONFIRM, REMIND = "Please confirm your subscription", "Your subscription is not confirmed yet"


async def letters(shop: Shop, *topics: str) -> None:
    """The ready topics, and a marketing letter on each of these a minute after it is asked for; each has the link to the preferences."""
    made = [template(key, shop.brand, text="{{ preferences_url }}") for key in topics]
    await shop.publish(*ready("topics", shop.brand), *made)
    await shop.publish(
        *(
            journey(
                f"on-{key}",
                shop.brand,
                "Asked",
                {"id": "minute", "wait": "1m"},
                send(key, shop.brand, topic=f"{shop.brand}-{key}"),
                reentry={"mode": "always"},
            )
            for key in topics
        )
    )


def subscribes(shop: Shop, who: str, *topics: str, **traits: Any) -> list[dict[str, Any]]:
    """What an embedded form tells: who he is, and a request for each topic that he ticked."""
    said = {"channel": "email", "double_opt_in": True, "text_id": "form", "evidence": {"form": "footer", "checkbox": "unticked"}}
    asked = [shop.did(who, "Consent Granted", topic=f"{shop.brand}-{topic}", **said) for topic in topics]
    return [shop.is_(who, **traits), *asked]


async def link(shop: Shop, kind: str, mail: dict[str, Any]) -> str:
    found = re.search(rf"/{kind}/[A-Za-z0-9_-]{{42}}", (await shop.letter(mail))["text"])
    assert found
    return found[0]


async def ask(shop: Shop, *people: str) -> Counter[tuple[str, str]]:
    """They ask for all letters; those that came."""
    await shop.post(*(shop.did(who, "Asked") for who in people))
    await shop.until(shop.now + MINUTE)
    return await shop.came()


def boxes(page: httpx.Response) -> dict[str, list[str]]:
    """What a browser sends if nothing is touched."""
    assert page.status_code == 200, page.text
    return {
        "was": re.findall(r'name="was" value="([^"]+)"', page.text),
        "on": re.findall(r'name="on" value="([^"]+)" checked', page.text),
    }


async def verdicts(shop: Shop, profile: str) -> list[tuple[str, str]]:
    told = [one for one in await shop.installation.log.records("decisions") if one["profile"] == profile]
    # Who bought before the condition was published is kept by the one or the other, as the segmenter has counted for others or not.
    return [
        (one["verdict"], "keeps" if one["verdict"] == "kept" and one["rule"] in ("bought", "keep") else one.get("rule", ""))
        for one in told
        if one["verdict"] in ("purged", "kept")
    ]


@pytest.mark.case("C7", "P7")
async def test_a_form_a_letter_a_reminder_and_only_who_confirms_gets_marketing(shop: Shop):
    await letters(shop, "sales", "events")
    # Before there is a journey that purges, and so before the segmenter counts orders.
    await shop.post(shop.is_("cat"), shop.did("cat", "Order Completed", revenue=1, currency="RUB"))
    await shop.publish(*ready("double-opt-in", shop.brand, MECHANICS / "double-opt-in"))
    start, public = shop.now, shop.installation.public
    people = ("ann", "bob", "cat", "dan")
    await shop.post(*(call for who in people for call in subscribes(shop, who, "sales", "events")))
    profiles = {who: (await shop.profile(f"user_id:{shop.user(who)}"))["id"] for who in people}
    mails = {mail["to"][0].partition("@")[0]: mail for mail in await shop.mails()}
    assert {who: mail["subject"] for who, mail in mails.items()} == dict.fromkeys(people, CONFIRM), "two topics are one letter"
    assert await ask(shop, *people) == Counter(), "a request permits no marketing"

    confirm = await link(shop, "d", mails["ann"])
    assert (await public.get(confirm)).status_code == 200
    await shop.settle()
    assert await ask(shop, "ann") == Counter(), "a program that looks at links confirms nothing"
    assert (await public.post(confirm)).status_code == (await public.post(confirm)).status_code == 200
    await shop.settle()
    assert await ask(shop, *people) == once(("ann", "sales"), ("ann", "events"))

    await shop.until(start + DAY - MINUTE)
    assert await shop.came() == Counter()
    await shop.until(start + DAY)
    reminders = await shop.mails()
    assert Counter((mail["to"][0].partition("@")[0], mail["subject"]) for mail in reminders) == once(
        ("bob", REMIND), ("cat", REMIND), ("dan", REMIND)
    )
    late = next(mail for mail in reminders if mail["to"][0].startswith("dan"))
    await public.post(await link(shop, "d", late))
    await shop.settle()
    assert await ask(shop, *people) == once(*((who, key) for who in ("ann", "dan") for key in ("sales", "events")))

    await shop.until(start + 7 * DAY - MINUTE)
    assert [await verdicts(shop, profiles[who]) for who in people] == [[], [], [], []]
    await shop.until(start + 7 * DAY)
    assert {who: await verdicts(shop, profiles[who]) for who in people} == {
        "ann": [],
        "bob": [("purged", "purge:person")],
        "cat": [("kept", "keeps")],
        "dan": [],
    }
    erasures = [
        one for one in await shop.installation.log.records("facts.raw") if one.get("type") == "erase" and one["brand"] == shop.brand
    ]
    assert [(one["about"], one["properties"]) for one in erasures] == [
        (profiles["bob"], {"reason": f"journey:{shop.brand}-double-opt-in.1.purge"})
    ]
    bob = await shop.installation.api.get("/api/profiles", params={"identifier": f"email:{shop.address('bob')}"})
    assert bob.status_code == 404, "he is gone"
    assert (await public.post(await link(shop, "d", mails["bob"]))).status_code == 410, "a link of nobody"
    words = (await shop.api("GET", f"/api/profiles/{profiles['ann']}/consents"))["items"]
    assert Counter((word["action"], word["state"]) for word in words) == {
        ("requested", "pending"): 2,
        ("confirmed_doi", "proven"): 2,
    }
    proof = next(word for word in words if word["action"] == "confirmed_doi")
    evidence = proof["proof"]["evidence"]
    assert evidence["message"] and evidence["wording"] and evidence["to"] == shop.address("ann")
    assert proof["proof"]["context"]["ip"] == "127.0.0.1" and len(proof["terms"]["text_sha256"]) == 64


@pytest.mark.case("C7")
async def test_confirming_does_not_undo_a_no_that_came_after_the_request(shop: Shop):
    await letters(shop, "sales")
    await shop.publish(*ready("double-opt-in", shop.brand, MECHANICS / "double-opt-in"))
    await shop.post(*subscribes(shop, "ann", "sales"))
    (mail,) = await shop.mails()
    await shop.until(shop.now + HOUR)
    await shop.post(shop.did("ann", "Consent Withdrawn", channel="email", topic="*"))
    answer = await shop.installation.public.post(await link(shop, "d", mail))
    assert answer.status_code == 200 and "nothing to confirm" in answer.text
    await shop.settle()
    assert await ask(shop, "ann") == Counter()
    await shop.until(shop.now + 2 * DAY)
    assert await shop.came() == Counter(), "no reminder either"


@pytest.mark.case("C6")
async def test_a_person_changes_one_part_of_a_topic_and_the_next_letter_on_it_does_not_go(shop: Shop):
    keys = ("sales-mine", "sales-all", "events")
    await letters(shop, *keys)
    public = shop.installation.public
    await shop.post(shop.is_("ann", language="ru"), shop.agrees("ann"))
    await shop.post(shop.did("ann", "Asked"))
    await shop.until(shop.now + MINUTE)
    mails = await shop.mails()
    assert {mail["subject"] for mail in mails} == set(keys)
    centre = await link(shop, "p", mails[0])
    page = await public.get(centre)
    assert "Скидки и акции" in page.text and "Раз в неделю" in page.text and shop.address("ann") not in page.text
    given = boxes(page)
    assert len(given["on"]) == 19, "everything, six topics and their parts"

    mine = f"email|{shop.brand}-sales-mine"
    page = await public.post(centre, data={**given, "on": [name for name in given["on"] if name != mine]})
    await shop.settle()
    assert await ask(shop, "ann") == once(("ann", "sales-all"), ("ann", "events"))

    # The heading goes off with all below it; one part alone is switched on again.
    heading = f"email|{shop.brand}-sales"
    given = boxes(page)
    page = await public.post(centre, data={**given, "on": [name for name in given["on"] if name != heading]})
    await shop.settle()
    assert await ask(shop, "ann") == once(("ann", "events"))
    given = boxes(page)
    page = await public.post(centre, data={**given, "on": [*given["on"], mine]})
    await shop.settle()
    assert await ask(shop, "ann") == once(("ann", "sales-mine"), ("ann", "events"))

    assert (await public.post(f"{centre[:-1]}{'A' if centre[-1] != 'A' else 'B'}", data={"all_off": "1"})).status_code == 404
    await shop.settle()
    assert await ask(shop, "ann") == once(("ann", "sales-mine"), ("ann", "events")), "a forged link changes nothing"
    await public.post(centre, data={"all_off": "1"})
    await shop.settle()
    assert await ask(shop, "ann") == Counter()
    profile = (await shop.profile(f"user_id:{shop.user('ann')}"))["id"]
    words = (await shop.api("GET", f"/api/profiles/{profile}/consents"))["items"]
    assert [(word["action"], word["topic"].removeprefix(f"{shop.brand}-")) for word in words] == [
        ("withdrawn", "*"),
        ("granted", "sales-mine"),
        ("withdrawn", "sales"),
        ("withdrawn", "sales-mine"),
        ("granted", "*"),
    ]
    assert (
        words[0]["source"] == "preferences" and words[0]["terms"]["language"] == "ru" and words[0]["proof"]["evidence"]["wording"]
    )


@pytest.mark.case("C6")
async def test_a_circle_of_topics_is_refused_with_its_way(shop: Shop):
    await shop.publish(*ready("topics", shop.brand))
    sales, mine = f"{shop.brand}-sales", f"{shop.brand}-sales-mine"
    api = shop.installation.api
    await api.put(f"/api/topics/{sales}", json={"brand": shop.brand, "name": {"en": "Sales"}, "parent": mine})
    answer = await api.post(f"/api/topics/{sales}/publish")
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert (fault["path"], fault["code"]) == ("parent", "cycle") and f"{sales} > {mine} > {sales}" in fault["message"]


@pytest.mark.case("C7")
async def test_dead_contacts_lose_the_address_of_the_channel_and_who_has_bought_keeps_it(shop: Shop):
    await shop.publish(*ready("dead-contacts", shop.brand, MECHANICS / "dead-contacts"))
    people = ("eve", "fred", "gail")
    await shop.post(*(shop.is_(who) for who in people), shop.did("fred", "Order Completed", revenue=1, currency="RUB"))
    for _ in range(3):
        await shop.until(shop.now + HOUR)
        await shop.post(*(shop.did(who, "Email Bounced") for who in people))
    start = shop.now
    await shop.post(shop.did("gail", "Email Opened"))
    profiles = {who: (await shop.profile(f"user_id:{shop.user(who)}"))["id"] for who in people}
    await shop.until(start + 14 * DAY)
    assert {who: await verdicts(shop, profiles[who]) for who in people} == {
        "eve": [("purged", "purge:email")],
        "fred": [("kept", "keeps")],
        "gail": [],
    }
    erasures = [
        one for one in await shop.installation.log.records("facts.raw") if one.get("type") == "erase" and one["brand"] == shop.brand
    ]
    assert [(one["about"], one["properties"]["only"]) for one in erasures] == [(profiles["eve"], ["email"])]
    left = (await shop.profile(f"user_id:{shop.user('eve')}"))["identifiers"]
    assert f"email:{shop.address('eve')}" not in left and f"user_id:{shop.user('eve')}" in left
