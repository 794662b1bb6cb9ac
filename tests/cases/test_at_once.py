"""What must happen at once, on a clock that nobody drives: J2, and the unsubscribe of R5."""

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from deploy.local import run
from tests.cases.conftest import new_brand
from tests.support.installation import Installation, installed
from tests.support.live import until
from tests.support.shop import Shop, journey, send, template

LETTER = "Your login is {{ event.login }}. Fill in your profile: https://{{ brand }}.example/profile"


@pytest.fixture(scope="module")
async def installation(local_settings, kafka: str, postgres: str) -> AsyncIterator[Installation]:
    """In place of the driven one: nobody drives its clock."""
    async with installed(local_settings, kafka, postgres) as found:
        yield found


@pytest.fixture(scope="module")
async def live(installation: Installation) -> Shop:
    return await Shop(installation, new_brand()).open_live()


@pytest.mark.case("J2")
async def test_the_activation_letter_comes_right_after_the_registration_with_login_and_profile(live: Shop):
    await live.publish(
        template("activation", live.brand, text=LETTER),
        journey("activation", live.brand, "Registered", send("activation", live.brand, **{"class": "service"})),
    )
    await live.post(live.is_("ann"), live.did("ann", "Registered", login="ann77"))
    (mail,) = await until(live.mails, 10)
    assert (mail["to"], mail["subject"]) == ([live.address("ann")], "activation")
    letter = await live.letter(mail)
    assert letter["text"].strip() == f"Your login is ann77. Fill in your profile: https://{live.brand}.example/profile"
    assert not any(name.lower() == "list-unsubscribe" for name, _ in letter["headers"]), "a service letter is no mailing"


@pytest.mark.case("J2")
@pytest.mark.parametrize("first", ["device", "name"])
async def test_the_letter_comes_whichever_is_heard_first_the_registration_of_a_device_or_whose_device_it_is(live: Shop, first: str):
    """One request of a site, two source keys: nobody promises in which order they are handled."""
    key = f"named-{first}"
    await live.publish(template(key, live.brand), journey(key, live.brand, key, send(key, live.brand, **{"class": "service"})))
    device = f"{live.brand}-{key}"
    registers = live.call("track", first, userId=None, anonymousId=device, event=key)
    names = live.call("identify", first, anonymousId=device, traits={"email": live.address(first)})
    for call in (registers, names) if first == "device" else (names, registers):
        await live.post(call)
    (mail,) = await until(live.mails, 15)
    assert (mail["to"], mail["subject"]) == ([live.address(first)], key)


@pytest.mark.case("R5")
async def test_who_presses_unsubscribe_gets_no_more_marketing_from_that_second_on_and_service_all_the_same(live: Shop):
    b = live.brand
    again = {"reentry": {"mode": "always"}}
    await live.publish(
        *(template(key, b) for key in ("digest", "cart", "receipt")),
        journey("digest", b, "Digest Issued", send("digest", b, **{"class": "mass"}), **again),
        journey("cart", b, "Cart Left", send("cart", b), **again),
        journey("receipt", b, "Order Completed", send("receipt", b, **{"class": "service"}), **again),
    )
    await live.post(live.is_("bob"), live.agrees("bob"), live.did("bob", "Digest Issued"))
    (mail,) = await until(live.mails, 10)
    letter = await live.letter(mail)
    looked = await live.installation.public.get(live.unsubscribe_link(letter))
    assert looked.status_code == 200, "a scanner that follows links takes nobody off the list"
    await live.post(live.did("bob", "Digest Issued"))
    await until(live.mails, 10)

    assert (await live.press_unsubscribe(letter)).status_code == 200
    await live.post(live.did("bob", "Digest Issued"), live.did("bob", "Cart Left"), live.did("bob", "Order Completed"))

    async def all_told() -> Counter | None:
        told = Counter((step, rule) for step, verdict, rule in await live.decisions("bob") if verdict == "skipped")
        return told if sum(told.values()) == 2 else None

    assert await until(all_told, 10) == Counter({("digest", "consent"): 1, ("cart", "consent"): 1})
    (mail,) = await until(live.mails, 10)
    assert mail["subject"] == "receipt"


@pytest.mark.case("R5")
async def test_an_unsubscribe_is_in_force_before_its_fact_has_come_round(live: Shop):
    """The letter is decided by a timer while nothing goes through the profile service: the sender itself must know."""
    b = live.brand
    steps = (send("now", b), {"id": "wait", "wait": "3s"}, send("then", b))
    await live.publish(template("now", b), template("then", b), journey("two", b, "Asked", *steps))
    await live.post(*(call for who in ("cara", "dan") for call in (live.is_(who), live.agrees(who), live.did(who, "Asked"))))
    mails: list[dict] = []

    async def both() -> bool:
        mails.extend(await live.mails())
        return len(mails) == 2

    await until(both, 10)
    hers = next(mail for mail in mails if mail["to"] == [live.address("cara")])
    rows = {row.program: row.pid for row in run.status(live.installation.settings)}
    os.kill(rows["profile-1"], signal.SIGSTOP)
    try:
        assert (await live.press_unsubscribe(await live.letter(hers))).status_code == 200
        (mail,) = await until(live.mails, 10)
        assert (mail["to"], mail["subject"]) == ([live.address("dan")], "then")
    finally:
        os.kill(rows["profile-1"], signal.SIGCONT)

    async def told() -> bool:
        return ("then", "skipped", "consent") in await live.decisions("cara")

    await until(told, 10)  # at once it would be rash: a newer yes may be on its way to the sender
    assert not await live.mails()
