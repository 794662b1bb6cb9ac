"""J1: the welcome chain, to the minute, and what ends it."""

from collections import Counter

import pytest

from tests.cases.welcome import FIRST, LATER, welcome
from tests.support.shop import DAY, HOUR, MINUTE, Shop, once, one_address_one_person

PHONE = "+79161234567"


def registers(shop: Shop, who: str, at: int | None = None, **traits: object) -> list[dict]:
    known = shop.is_(who, at, **traits)
    return [known, shop.agrees(who, at, channel="*"), shop.did(who, "Registered", at)]


def plan(kinds: dict[str, str], start: int) -> dict[int, Counter]:
    """Instant -> whom which letter reaches then."""
    found: dict[int, Counter] = {}
    for who, kind in kinds.items():
        first = start + FIRST[kind] * HOUR
        found.setdefault(first, Counter())[who, "migration" if kind == "legal" else "price"] += 1
        for letter, days in LATER.items():
            found.setdefault(first + days * DAY, Counter())[who, letter] += 1
    return found


@pytest.mark.case("J1", "C4")
async def test_six_letters_by_the_kind_of_customer_each_at_its_minute(shop: Shop):
    await shop.publish(*welcome(shop.brand))
    start, kinds = shop.now, {"ivan": "natural", "acme": "legal", "who": "unknown"}
    await shop.post(*registers(shop, "ivan", kind="natural", phone=PHONE))
    await shop.post(*registers(shop, "acme", kind="legal"), *registers(shop, "who"))
    letters = []
    for at, expected in sorted(plan(kinds, start).items()):
        await shop.until(at - MINUTE)
        assert await shop.came() == Counter(), "a minute early"
        await shop.until(at)
        mails = await shop.mails()
        letters += mails
        assert Counter((mail["to"][0].partition("@")[0], mail["subject"]) for mail in mails) == expected
    await shop.until(shop.now + 30 * DAY)
    assert await shop.came() == Counter(), "six letters are all"
    texts = {(m["to"][0].partition("@")[0], m["subject"]): (await shop.letter(m))["text"].strip() for m in letters}
    assert len(letters) == len(texts) == 18
    assert texts["acme", "migration"] == "Acme, for your company: we move your servers for free, and safely"
    assert texts["ivan", "price"] == "Ivan, for you: what it costs, how to pay by the day, and how to try for free"
    assert {text.split(":")[0] for (who, _), text in texts.items() if who == "acme"} == {"Acme, for your company"}
    assert {text.split(":")[0] for (who, _), text in texts.items() if who == "who"} == {"Who, for you"}
    sms = [one for one in shop.installation.sms.record.accepted if one["phone"] == PHONE.lstrip("+")]
    assert [one["text"] for one in sms] == ["Ivan, look into your mail"]
    assert ("sms", "skipped", "no_address") in await shop.decisions("acme")


@pytest.mark.case("J1")
async def test_a_top_up_ends_it_at_once_whoever_reports_it(shop: Shop):
    await shop.publish(*welcome(shop.brand))
    await shop.source("backoffice")
    start = shop.now
    await shop.post(*registers(shop, "ann"), *registers(shop, "bob"))
    await shop.until(start + 6 * HOUR)
    assert await shop.came() == once(("ann", "price"), ("bob", "price"))
    await shop.until(start + 30 * HOUR - MINUTE)
    # The backoffice knows her by the address alone; a minute later the second letter would go.
    paid = shop.call("track", "ann", userId=None, context={"traits": {"email": shop.address("ann")}}, event="Balance Topped Up")
    await shop.post(paid, source="backoffice")
    await shop.until(start + 30 * HOUR)
    assert await shop.came() == once(("bob", "letter2"))
    await shop.through(*(start + 6 * HOUR + days * DAY for days in LATER.values()), start + 30 * DAY)
    assert await shop.came() == once(*(("bob", letter) for letter in LATER if letter != "letter2"))
    told = await shop.decisions("ann")
    assert told[-1] == ("pause2", "goal", "goal")
    assert [step for step, verdict, _ in told if verdict == "accepted"] == ["price"]


@pytest.mark.case("J1")
async def test_a_top_up_that_is_heard_of_before_its_registration_ends_it_and_an_older_one_does_not(shop: Shop):
    await shop.publish(*welcome(shop.brand))
    start = shop.now
    await shop.until(start + HOUR)
    await shop.post(shop.is_("early", start), shop.did("early", "Balance Topped Up", start + 20 * MINUTE))
    await shop.post(shop.is_("older", start), shop.did("older", "Balance Topped Up", start + 5 * MINUTE))
    await shop.post(*registers(shop, "early", start + 10 * MINUTE), *registers(shop, "older", start + 10 * MINUTE))
    await shop.until(start + 10 * MINUTE + 6 * HOUR)
    assert await shop.came() == once(("older", "price"))
    await shop.through(*(start + 10 * MINUTE + 6 * HOUR + days * DAY for days in LATER.values()))
    assert await shop.came() == once(*(("older", letter) for letter in LATER))
    assert await shop.decisions("early") == [("", "skipped", "goal")]


@pytest.mark.case("J1", "C1")
async def test_a_merge_in_the_middle_keeps_one_run_and_nothing_comes_twice(shop: Shop):
    await shop.publish(one_address_one_person(), *welcome(shop.brand))
    start = shop.now
    await shop.post(*registers(shop, "ann"))
    await shop.until(start + 6 * HOUR)
    assert await shop.came() == once(("ann", "price"))
    await shop.until(start + 8 * HOUR)
    await shop.post(*registers(shop, "anna"))  # the same woman, once more: nobody knows yet
    await shop.until(start + 9 * HOUR)
    await shop.post(shop.is_("ann", email=shop.address("anna")))  # now everybody does
    one, other = await shop.profile(f"email:{shop.address('ann')}"), await shop.profile(f"email:{shop.address('anna')}")
    assert one == other and one["merged"]
    for letter, days in LATER.items():
        await shop.until(start + 6 * HOUR + days * DAY - MINUTE)
        assert await shop.came() == Counter(), "the second registration has no run of its own"
        await shop.until(start + 6 * HOUR + days * DAY)
        assert await shop.came() == once(("anna", letter)), "one run, at the address that came last"
    await shop.until(shop.now + 30 * DAY)
    assert await shop.came() == Counter()
    told = await shop.decisions("ann")
    assert Counter(verdict for _, verdict, _ in told if verdict in ("entered", "left")) == {"entered": 2, "left": 2}
    assert ("two_days", "left", "merged") not in told and ("six_hours", "left", "merged") in told


@pytest.mark.case("J1", "C1")
async def test_a_merge_of_two_who_have_had_the_same_letter_does_not_send_the_next_one_twice(shop: Shop):
    await shop.publish(one_address_one_person(), *welcome(shop.brand))
    start = shop.now
    await shop.post(*registers(shop, "bob"))
    await shop.until(start + HOUR)
    await shop.post(*registers(shop, "robert"))
    await shop.until(start + 6 * HOUR)
    await shop.until(start + 7 * HOUR)
    assert await shop.came() == once(("bob", "price"), ("robert", "price")), "they were two people then"
    await shop.post(shop.is_("robert", email=shop.address("bob")))
    for letter, days in LATER.items():
        await shop.until(start + 6 * HOUR + days * DAY)
        assert [subject for _, subject in (await shop.came()).elements()] == [letter]
        await shop.until(start + 7 * HOUR + days * DAY)
        assert await shop.came() == Counter()
