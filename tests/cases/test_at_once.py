"""What must happen at once, on a clock that nobody drives: J2, and the unsubscribe of R5."""

from collections import Counter

import pytest

from tests.support.live import until
from tests.support.shop import Shop, journey, send, template

LETTER = "Your login is {{ event.login }}. Fill in your profile: https://{{ brand }}.example/profile"


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
