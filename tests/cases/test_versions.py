"""J1, R6: a journey is mended and stopped while people are in it, and says why somebody got something and somebody did not."""

import asyncio

import pytest

from tests.support.shop import DAY, HOUR, Shop, journey, once, send, template


def chain(shop: Shop, *steps: dict) -> dict:
    return journey("chain", shop.brand, f"Joined {shop.brand}", *steps, reentry={"mode": "always"})


async def joined(shop: Shop, *people: str, **traits: str) -> None:
    await shop.post(*(call for who in people for call in (shop.is_(who, email=shop.address(who), **traits), shop.agrees(who))))
    await shop.post(*(shop.did(who, f"Joined {shop.brand}") for who in people))


@pytest.mark.case("J1")
async def test_a_journey_is_published_anew_while_people_are_in_it_and_each_goes_where_it_was_chosen(shop: Shop):
    b, start = shop.brand, shop.now
    path = f"/api/journeys/{b}-chain"
    first = chain(shop, {"id": "pause", "wait": "1d"}, send("one", b), {"id": "rest", "wait": "1d"}, send("two", b))
    await shop.publish(*(template(key, b) for key in ("one", "two", "three")), first)
    await joined(shop, "ann")
    await shop.until(start + DAY)
    assert await shop.came() == once(("ann", "one"))
    await joined(shop, "bob", "eve")

    standing = await shop.api("GET", f"{path}/standing")
    assert standing["state"] == "open" and standing["settled"] and standing["people"] == 3
    steps = {one["step"]: one["people"] for one in standing["versions"][0]["steps"]}
    assert steps == {"pause": 2, "one": 0, "rest": 1, "two": 0}

    second = chain(shop, {"id": "wait", "wait": "9d"}, send("three", b))
    revision = (await shop.api("PUT", path, json=second["body"]))["_meta"]["revision"]
    refused = await shop.installation.api.post(f"{path}/publish", json={"move": {"gone": "wait", "rest": "nowhere"}})
    assert refused.status_code == 422
    assert [(e["path"], e["code"]) for e in refused.json()["errors"]] == [
        ("move.gone", "unknown_step"),
        ("move.rest", "no_such_step"),
    ]
    told = await shop.api("GET", f"{path}/diff", headers={"Accept-Language": "ru"})
    assert [step["id"] for step in told["steps"]["removed"]] == ["pause", "one", "rest", "two"]
    assert "Добавлен шаг `wait`: wait: 9d" in told["text"]

    # Somebody edits while somebody else publishes what he has seen: one of them hears of it, and no word is lost.
    edit = shop.installation.api.put(path, json=second["body"] | {"exit_segment": None}, headers={"If-Match": f'"{revision}"'})
    publish = shop.installation.api.post(
        f"{path}/publish", json={"move": {"pause": "wait", "rest": "leave"}}, headers={"If-Match": f'"{revision}"'}
    )
    edited, published = await asyncio.gather(edit, publish)
    assert edited.status_code == 200
    if published.status_code == 412:  # the edit came first
        published = await shop.installation.api.post(f"{path}/publish", json={"move": {"pause": "wait", "rest": "leave"}})
    assert published.json()["moves"] == {"1": {"pause": "wait", "rest": "leave"}}
    await shop.settle()

    standing = await shop.api("GET", f"{path}/standing")
    assert [(one["version"], one["people"]) for one in standing["versions"]] == [(2, 2)] and standing["settled"]
    await shop.until(start + 2 * DAY)  # what was left of their wait is kept
    assert await shop.came() == once(("bob", "three"), ("eve", "three"))
    await shop.until(start + 12 * DAY)
    assert await shop.came() == once(), "who was to leave has left"

    again = await shop.api("POST", f"{path}/publish", json={"version": 1})
    assert again["version"] == 3
    await shop.settle()
    await joined(shop, "ann")
    await shop.until(start + 13 * DAY)
    assert await shop.came() == once(("ann", "one"))
    stats = await shop.api("GET", f"{path}/stats")
    assert (stats["entered"], stats["moved"], stats["ended"], stats["standing"]) == (4, 2, {"end": 2, "migration": 1}, 1)
    assert stats["steps"]["three"]["accepted"] == 2 and stats["steps"]["rest"]["standing"] == 1

    async def delete_two() -> str:
        answer = await shop.installation.api.delete(f"/api/templates/{b}-two")
        return "deleted" if answer.status_code == 204 else answer.json()["code"] + answer.json()["detail"]

    assert "referenced" in await delete_two()
    assert (await shop.api("POST", f"{path}/publish"))["version"] == 4  # the draft, which has waited
    await shop.settle()
    assert (refused := await delete_two()).startswith("stood_in") and f"journey {b}-chain@3" in refused
    await shop.until(start + 14 * DAY)
    assert await shop.came() == once(("ann", "two"))
    assert await delete_two() == "deleted"


@pytest.mark.case("R6")
async def test_a_paused_journey_holds_everything_back_loses_nothing_and_says_why(shop: Shop):
    b = shop.brand
    start = await shop.next(0, 9)
    path = f"/api/journeys/{b}-chain"
    text = send("text", b, channel="sms", **{"class": "service"})
    steps = ({"id": "pause", "wait": "1h"}, text, {"id": "rest", "wait": "1h"}, send("one", b))
    await shop.publish(template("one", b), template("text", b, channel="sms", subject=""), chain(shop, *steps))
    phone = "+79160000001"
    shop.installation.sms.script.put(phone.removeprefix("+"), ["009"])
    await joined(shop, "ann", phone=phone)
    await shop.until(start + HOUR)  # the provider wants to be asked later

    await shop.api("POST", f"{path}/pause")
    await joined(shop, "bob")
    await shop.until(start + 2 * HOUR)
    assert [entry for entry in shop.installation.sms.record.accepted if entry["phone"] == phone.removeprefix("+")] == []
    assert await shop.came() == once()
    refused = await shop.installation.api.post(f"{path}/archive", json={"entrants": "nonsense"})
    assert refused.status_code == 422
    await shop.until(start + 6 * HOUR)
    assert (await shop.api("GET", f"{path}/standing"))["held"] == 1

    await shop.api("POST", f"{path}/resume")
    await shop.settle()
    taken = [entry for entry in shop.installation.sms.record.accepted if entry["phone"] == phone.removeprefix("+")]
    assert len(taken) == 1 and await shop.came() == once(("ann", "one"))
    await shop.until(start + 7 * HOUR)
    assert await shop.came() == once()
    assert (await shop.api("GET", f"{path}/standing"))["people"] == 0

    ann = (await shop.profile(f"user_id:{shop.user('ann')}"))["id"]
    asked = {"params": {"journey": f"{b}-chain"}}
    told = [one["text"] for one in (await shop.api("GET", f"/api/profiles/{ann}/why", **asked))["items"]]
    assert told[:2] == ["He entered (version 1).", "Step `text`: the message was given to the sender."]
    assert "Step `text`: the message was held back: it is paused." in told
    assert told[-2:] == ["Step `one`: he left: he came to its end.", "Step `one`: the provider took the message."]
    bob = (await shop.profile(f"user_id:{shop.user('bob')}"))["id"]
    answer = await shop.api("GET", f"/api/profiles/{bob}/why", headers={"Accept-Language": "ru"}, **asked)
    assert answer["answer"] == "Ничего не отправлено: стоит на паузе."
    unknown = await shop.installation.api.get(f"/api/profiles/{bob}/why")
    assert unknown.status_code == 422

    await shop.api("POST", f"{path}/archive")
    await joined(shop, "eve")
    await shop.api("POST", f"{path}/end")
    assert (await shop.installation.api.post(f"{path}/archive")).json()["code"] == "journey_state"
    await shop.settle()
    assert (await shop.api("GET", f"{path}/stats"))["refused"] == {"archived": 1, "paused": 1}
