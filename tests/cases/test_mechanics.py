"""J13: every ready-made mechanic is installed by one call, and two of them are played to the mail catcher."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cases.mechanics import install, withdraw
from tests.support.shop import DAY, HOUR, MINUTE, Shop, once

# They bring rules over all brands of the installation, or purge: other tests there are not to feel these.
DRAFTS = ("caps", "dead-contacts")


@pytest.fixture
async def mechanics(shop: Shop) -> AsyncIterator[list[dict[str, Any]]]:
    """All that are shipped, out of force afterwards."""
    listed = (await shop.api("GET", "/api/mechanics"))["items"]
    yield listed
    await withdraw(shop, [{**one, "key": f"{shop.brand}-{one['key']}"} for mechanic in listed for one in mechanic["documents"]])


async def letters(shop: Shop) -> dict[str, tuple[str, str]]:
    """Whom -> subject and text, of what came since the last look."""
    found = {}
    for mail in await shop.mails():
        found[mail["to"][0].partition("@")[0]] = mail["subject"], (await shop.letter(mail))["text"]
    return found


@pytest.mark.case("J13", "J7", "J18")
async def test_all_are_installed_by_one_call_each_and_two_are_played(shop: Shop, mechanics: list[dict[str, Any]]):
    b = shop.brand
    assert len(mechanics) > 20 and {"J1", "J7", "J18", "C7", "R1"} <= {row for one in mechanics for row in one["rows"]}
    later = datetime.fromtimestamp(shop.now / 1000, UTC) + timedelta(days=15)  # the monthly letter is not to fall into the play
    chosen: dict[str, Any] = {"abandoned-cart": {"pause": "2h"}, "novelties": {"day": later.day}}
    for one in mechanics:
        values = {"parameters": chosen[one["name"]]} if one["name"] in chosen else {}
        first = await install(shop, one["name"], publish=one["name"] not in DRAFTS, **values)
        assert first.status_code == 200, (one["name"], first.text)
        assert all(document["changed"] for document in first.json()["documents"])
        again = await install(shop, one["name"], publish=one["name"] not in DRAFTS, **values)
        assert again.json()["kept"] == [] and not any(document["changed"] for document in again.json()["documents"])
    draft = await shop.api("GET", f"/api/rules/{b}-caps")
    assert draft["_meta"]["published_version"] is None
    cart = await shop.api("GET", f"/api/journeys/{b}-abandoned-cart")
    assert (cart["brand"], cart["steps"][0]["wait"], cart["_meta"]["published_version"]) == (b, "2h", 1)

    refused = await install(shop, "abandoned-cart")
    assert (refused.status_code, refused.json()["code"]) == (409, "mechanic_differs")
    assert [one["path"] for one in refused.json()["errors"]] == [f"journeys.{b}-abandoned-cart.steps.0.wait"]
    kept = (await install(shop, "abandoned-cart", keep=True)).json()
    assert kept["kept"] == [{"kind": "journey", "key": f"{b}-abandoned-cart"}]
    wrong = await install(shop, "abandoned-cart", parameters={"pause": "soon"})
    assert (wrong.status_code, wrong.json()["errors"][0]["path"]) == (422, "parameters.pause")
    assert (await install(shop, "nonesuch")).status_code == 404
    await shop.settle()

    codes = {"content": b"PERCENT-1\nPERCENT-2\n", "headers": {"Content-Type": "text/csv"}}
    await shop.api("POST", f"/api/promo-pools/{b}-welcome-percent/codes", **codes)
    start = shop.now
    for who, language in (("ann", "en"), ("bob", "ru"), ("eve", "en")):
        await shop.post(shop.is_(who, language=language), shop.agrees(who))
    await shop.post(shop.did("ann", "Subscribed", form="embedded"), shop.did("bob", "Subscribed", form="embedded"))
    await shop.post(shop.did("eve", "Product Added", name="Kettle"))
    came = await letters(shop)
    assert {who: subject for who, (subject, _) in came.items()} == {"ann": "Your promo code", "bob": "Ваш промокод"}
    own = {who: next(code for code in ("PERCENT-1", "PERCENT-2") if code in text) for who, (_, text) in came.items()}
    assert len(set(own.values())) == 2 and "10 % off" in came["ann"][1]

    await shop.until(start + 2 * HOUR - MINUTE)
    assert await shop.came() == once()
    await shop.until(start + 2 * HOUR)
    came = await letters(shop)
    assert came.keys() == {"eve"} and came["eve"][0] == "Your cart waits for you"
    assert all(said in came["eve"][1] for said in ("Hello, Eve!", "- Kettle", "For 2 hours", "/u/"))
    await shop.post(shop.did("ann", "Order Completed", order_id=f"{b}-1"), shop.did("eve", "Order Completed", order_id=f"{b}-2"))
    await shop.until(start + 26 * HOUR)
    assert await shop.came() == once(), "who has ordered is reminded of no cart"
    await shop.until(start + 3 * DAY)
    came = await letters(shop)
    assert came.keys() == {"bob"} and came["bob"][0] == "Ваш промокод всё ещё ждёт" and own["bob"] in came["bob"][1]
