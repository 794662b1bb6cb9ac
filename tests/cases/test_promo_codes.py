"""J9, J18, P6: codes of a pool, each one person's: for a birthday, and for who subscribes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import DAY, HOUR, Shop, journey, once, segment, send, template

END = {"id": "end", "end": True}


def pool(key: str, brand: str, **more: Any) -> dict[str, Any]:
    return {"kind": "promo-pool", "body": {"key": f"{brand}-{key}", "brand": brand, **more}}


def give(step: str, key: str, brand: str, empty: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "give": f"{brand}-{key}", "empty": empty, **more}


def birthday_in(at: int, days: int) -> str:
    """Of somebody whose birthday is so many days after an instant (ms)."""
    return f"1990-{datetime.fromtimestamp((at + days * DAY) / 1000, UTC):%m-%d}"


async def load(shop: Shop, key: str, codes: str, **headers: str) -> Any:
    head = {"Content-Type": "text/csv", **headers}
    return await shop.api("POST", f"/api/promo-pools/{shop.brand}-{key}/codes", content=codes.encode(), headers=head)


async def counts(shop: Shop, key: str) -> dict[str, Any]:
    return (await shop.api("GET", f"/api/promo-pools/{shop.brand}-{key}"))["_meta"]


async def letters(shop: Shop) -> dict[tuple[str, str], str]:
    """(whom, subject) -> text of what came since the last look."""
    return {
        (mail["to"][0].partition("@")[0], mail["subject"]): (await shop.letter(mail))["text"].strip() for mail in await shop.mails()
    }


async def used(shop: Shop) -> list[tuple[str, bool]]:
    """(owner, again) of the codes that were redeemed."""
    facts = await shop.installation.log.records("facts")
    mine = [one for one in facts if one.get("event") == "Promo Code Used" and one["brand"] == shop.brand]
    return sorted((one["properties"]["owner"], one["properties"]["again"]) for one in mine)


@pytest.mark.case("J9")
async def test_a_birthday_letter_has_a_code_of_its_own_and_without_codes_it_is_a_greeting(shop: Shop):
    b, today = shop.brand, {"kind": "anniversary", "name": "birthday", "zone": "UTC"}
    steps = (
        give("gift", "bday", b, "plain", **{"return": True}),
        send("cake", b),
        END,
        send("plain", b),
    )
    born = journey("born", b, {"segment": f"{b}-born"}, *steps)
    await shop.publish(
        pool("bday", b, text="10 %", low_water=5),
        template("cake", b, text="{{ promo.gift.code }} {{ promo.gift.text }}"), template("plain", b),
        segment("born", b, today), born,
    )  # fmt: skip
    codes = [f"{b}-ONE".upper(), f"{b}-TWO".upper()]
    told = await load(
        shop, "bday", "\n".join(["code", codes[0], "no code", codes[1], codes[0].lower(), ""]), **{"Idempotency-Key": b}
    )
    assert told["added"] == 2
    assert told["lines"] == [{"line": 3, "reason": "characters"}, {"line": 5, "reason": "repeated"}]
    again = await load(
        shop, "bday", "\n".join(["code", codes[0], "no code", codes[1], codes[0].lower(), ""]), **{"Idempotency-Key": b}
    )
    assert again == told
    meta = await counts(shop, "bday")
    assert meta["codes"] == {"free": 2, "given": 0, "used": 0, "low": True} and meta["warnings"][0]["code"] == "pool_low"

    for who, days in {"eve": 1, "ann": 2, "bob": 2, "cid": 2}.items():
        agrees = [] if who == "eve" else [shop.agrees(who)]
        await shop.post(shop.is_(who, birthday=birthday_in(shop.now, days)), *agrees)
    midnight = shop.now - shop.now % DAY
    await shop.until(midnight + DAY)
    assert await letters(shop) == {}, "nobody may write to her"
    assert await shop.decisions("eve", own=True) == [
        ("", "entered", ""), ("gift", "given", "promo_pool"), ("cake", "sent", ""), ("end", "left", "end"),
        ("cake", "skipped", "consent"), ("gift", "returned", "promo_never_sent"),
    ]  # fmt: skip
    assert (await counts(shop, "bday"))["codes"]["free"] == 2, "so her code is another's"
    await shop.until(midnight + 2 * DAY)
    came = await letters(shop)
    cakes = {who: text for (who, subject), text in came.items() if subject == "cake"}
    assert sorted(cakes.values()) == [f"{code} 10 %" for code in codes]
    (greeted,) = [who for who, subject in came if subject == "plain"]
    assert cakes.keys() | {greeted} == {"ann", "bob", "cid"}
    assert ("gift", "skipped", "promo_pool_empty") in await shop.decisions(greeted, own=True)
    mine, other = sorted(cakes)
    await shop.post(shop.did(mine, "Order Completed", order_id="1", coupon=cakes[mine].split()[0].lower()))
    await shop.post(shop.did(other, "Order Completed", order_id="2", coupon=cakes[mine].split()[0]))
    assert await used(shop) == [("other", True), ("self", False)]
    assert (await counts(shop, "bday"))["codes"] == {"free": 0, "given": 2, "used": 1, "low": True}
    has = {"kind": "did", "event": "Promo Code Given", "where": [{"path": "pool", "op": "eq", "value": f"{b}-bday"}]}
    assert (await shop.api("POST", "/api/segments/preview", json={"brand": b, "condition": has}))["count"] == 3
    person = (await shop.profile(f"email:{shop.address(mine)}"))["id"]
    copy = await shop.api("GET", f"/api/profiles/{person}/export")
    assert [(one["pool"], one["used_in"]) for one in copy["orchestrator"]["promo_codes"]] == [(f"{b}-bday", "1")]
    await shop.api("DELETE", f"/api/profiles/{person}", json={"reason": "asked"})
    await shop.settle()
    assert (await counts(shop, "bday"))["codes"]["given"] == 2, "it is spent all the same"
    await no_code_is_told(shop, codes)


def written(home: Path) -> str:
    """All logs of the run, in capitals."""
    return "".join(file.read_text(errors="replace").upper() for file in home.rglob("*.log*") if file.is_file())


async def no_code_is_told(shop: Shop, codes: list[str]) -> None:
    """In no log line, verdict or fact of ours."""
    logged = written(shop.installation.settings.home)
    assert logged and not any(code in logged for code in codes)
    for topic in ("decisions", "facts"):
        told = [one for one in await shop.installation.log.records(topic) if one.get("event") != "Order Completed"]
        assert not any(code in repr(told).upper() for code in codes), topic


@pytest.mark.case("J18", "P6")
async def test_who_subscribes_gets_a_code_at_once_and_again_in_three_days_unless_he_ordered(shop: Shop):
    b, joined = shop.brand, f"Subscribed {shop.brand}"
    told = "{{ promo.percent.code | default: '' }}{{ promo.roubles.code | default: '' }}"
    ordered = {"until": {"fact": {"event": "Order Completed"}}, "at_most": "3d", "then": "end", "else": "again"}
    steps = (
        {"id": "via", "if_data": [{"path": "event.via", "op": "eq", "value": "form"}], "then": "percent", "else": "roubles"},
        give("percent", "percent", b, "end", next="hello", per="person"),
        give("roubles", "roubles", b, "end", per="person"),
        send("hello", b), {"id": "ordered", **ordered}, send("again", b), END,
    )  # fmt: skip
    await shop.publish(
        pool("percent", b), pool("roubles", b), template("hello", b, text=told), template("again", b, text=told),
        journey("promo", b, joined, *steps, reentry={"mode": "always"}),
    )  # fmt: skip
    for key in ("percent", "roubles"):
        asked = {"generate": {"pattern": f"{key}-########", "count": 10}}
        assert (await shop.api("POST", f"/api/promo-pools/{b}-{key}/codes", json=asked))["added"] == 10
    start = shop.now
    for who, via in {"ann": "form", "bob": "popup", "eve": "popup"}.items():
        await shop.post(shop.is_(who), shop.agrees(who), shop.did(who, joined, via=via))
    first = {who: text for (who, _), text in (await letters(shop)).items()}
    assert {who: text.partition("-")[0] for who, text in first.items()} == {"ann": "percent", "bob": "roubles", "eve": "roubles"}
    assert len(set(first.values())) == 3
    await shop.until(start + DAY)
    await shop.post(shop.did("eve", "Order Completed", order_id="e1", coupon=first["eve"]))
    await shop.until(start + 3 * DAY - HOUR)
    assert await shop.came() == once()
    await shop.until(start + 3 * DAY)
    assert await letters(shop) == {(who, "again"): first[who] for who in ("ann", "bob")}
    await shop.post(shop.did("ann", joined, via="form"))
    assert await letters(shop) == {("ann", "hello"): first["ann"]}, "whoever subscribes twice has one code"
    assert await used(shop) == [("self", False)]


@pytest.mark.case("J9")
async def test_what_would_give_nothing_is_refused_before_it_is_published(shop: Shop):
    b = shop.brand

    async def refused(method: str, path: str, **more: Any) -> set[tuple[str, str]]:
        answer = await shop.installation.api.request(method, path, **more)
        assert answer.status_code in (404, 409, 422), answer.text
        return {(one["path"], one["code"]) for one in answer.json().get("errors", [])} or {("", answer.json()["code"])}

    body = journey("j", b, f"Born {b}", give("gift", "none", b, "end"), END)["body"]
    await shop.api("PUT", f"/api/journeys/{b}-j", json=body)
    assert await refused("POST", f"/api/journeys/{b}-j/publish") == {("steps.0.give", "unknown_reference")}
    nowhere = {**body, "steps": [{"id": "gift", "give": f"{b}-none"}]}
    assert await refused("PUT", f"/api/journeys/{b}-j", json=nowhere) == {("steps.0.empty", "missing")}
    codes = f"/api/promo-pools/{b}-none/codes"
    assert await refused("POST", codes, json={"codes": ["A"]}) == {("", "document_not_found")}
    await shop.publish(pool("none", b))
    asked = {"generate": {"pattern": "A-##", "count": 1000}}
    assert await refused("POST", codes, json=asked) == {("generate.pattern", "code_guessable")}
    assert await refused("POST", codes, json={"codes": ["A"], "generate": asked["generate"]}) == {("", "code_fields")}
    await shop.api("POST", f"/api/journeys/{b}-j/publish")
    assert await refused("DELETE", f"/api/promo-pools/{b}-none") == {("", "referenced")}
