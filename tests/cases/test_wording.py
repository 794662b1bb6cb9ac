"""A marketer writes a segment: the names to choose from are those of her customers, slips are told, and it reads as it was meant."""

from collections.abc import Mapping
from typing import Any

from tests.support.shop import DAY, Shop, iso, journey, once, segment, send, template

LANGUAGE = {"kind": "attribute", "name": "speaks", "op": "eq", "value": "ru"}
TOOL = {"kind": "attribute", "name": "tools", "op": "contains", "value": "telegram"}
TARIFF = {"kind": "date", "name": "tariff_end", "after": 0, "until": 7 * DAY}


def bought(event: str) -> dict[str, Any]:
    rub = {"path": "total.currency", "op": "eq", "value": "RUB"}
    return {
        "kind": "average",
        "event": event,
        "of": "total.minor",
        "op": "ge",
        "value": 500_000,
        "where": [rub],
        "within": 90 * DAY,
    }


async def described(shop: Shop, condition: Mapping[str, Any], lang: str) -> dict[str, Any]:
    found: dict[str, Any] = await shop.api("POST", "/api/segments/describe", json={"condition": condition, "lang": lang})
    return found


async def test_a_segment_is_written_from_what_there_is_and_reads_as_it_was_meant(shop: Shop):
    b, event = shop.brand, f"Order {shop.brand}"
    tariff = {"speaks": "en", "tools": ["vk", "telegram"], "tariff_end": iso(shop.now + 4 * DAY)}
    await shop.post(shop.is_("ann", **tariff), shop.is_("bob", **tariff), shop.agrees("ann"), shop.agrees("bob"))
    await shop.post(*(shop.did(who, event, total=6000, currency="RUB") for who in ("ann", "bob")))

    language = await shop.api("GET", "/api/segments/language")
    attributes = {one["name"]: one["type"] for one in language["attributes"]}
    assert (attributes["speaks"], attributes["tools"], attributes["tariff_end"]) == ("string", "list", "string")
    (properties,) = (one["properties"] for one in language["events"] if one["name"] == event)
    assert {"path": "total.minor", "type": "number", "whole": True} in properties

    wrong = await described(shop, {"kind": "all", "of": [{**LANGUAGE, "name": "speak"}, bought(f"Order {b[:-1]}")]}, "en")
    assert [(one["path"], one["code"]) for one in wrong["warnings"]] == [
        ("condition.of.0.name", "unknown_attribute"),
        ("condition.of.1.event", "unknown_event"),
    ]
    assert "`speaks`" in wrong["warnings"][0]["message"] and f"`{event}`" in wrong["warnings"][1]["message"]

    condition = {"kind": "all", "of": [LANGUAGE, TOOL, TARIFF, bought(event)]}
    assert (await described(shop, condition, "en"))["sentence"] == (
        '"speaks" is "ru" and "tools" contains "telegram" and "tariff_end" comes in the next 7 days and '
        f'(the average of "total" over events "{event}" in the last 90 days is at least 5,000\u00a0₽)'
    )
    russian = await described(shop, condition, "ru")
    assert russian["warnings"] == [] and russian["sentence"].endswith(
        f'(среднее "total" по событиям "{event}" за последние 90 дней — не меньше 5\u00a0000\u00a0₽)'
    )
    steps = [send("hello", b)]
    await shop.publish(segment("meant", b, condition), template("hello", b), journey("hello", b, {"segment": f"{b}-meant"}, *steps))
    await shop.post(*(shop.did(who, event, total=6000, currency="RUB") for who in ("ann", "bob")))
    await shop.post(shop.is_("ann", speaks="ru"))
    assert await shop.came() == once(("ann", "hello"))
