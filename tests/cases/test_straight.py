"""O1: a backend that writes `facts.raw` itself, by the published schema and with a Kafka client of its own."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import Shop, journey, once, send, template

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/json/fact.schema.json").read_text())["$defs"]["Fact"]
KINDS = {"string": str, "integer": int, "array": list, "object": dict}


def checked(fact: dict[str, Any]) -> dict[str, Any]:
    """The fact, if the schema knows its fields and their types, as the backend's own check would see."""
    assert set(SCHEMA["required"]) <= set(fact) <= set(SCHEMA["properties"])
    for name, value in fact.items():
        said = SCHEMA["properties"][name]
        assert isinstance(value, KINDS[said["type"]]) if "type" in said else value in said.get("enum", [value]), name
    return fact


def fact(shop: Shop, who: str, type: str = "track", **more: Any) -> dict[str, Any]:  # noqa: A002
    told = {"brand": shop.brand, "source": f"{shop.brand}-billing", "occurred_at": shop.now, "received_at": shop.now}
    named = {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{shop.brand}/{who}/{more}")), "type": type}
    return checked({**named, **told, "identifiers": [f"user_id:{shop.user(who)}"], **more})


async def write(shop: Shop, *facts: dict[str, Any] | bytes) -> None:
    for one in facts:
        value = one if isinstance(one, bytes) else json.dumps(one).encode()
        key = "broken" if isinstance(one, bytes) else f"{one['source']}|{one['identifiers'][0]}"
        await shop.installation.log.write("facts.raw", key, value)
    await shop.settle()


@pytest.mark.case("O1")
async def test_facts_written_straight_to_the_topic_reach_the_mail_and_broken_ones_the_dead_letters(shop: Shop):
    b = shop.brand
    await shop.publish(
        template("charged", b, text="{{ profile.firstName }}, {{ event.total | money }} for {{ event.product }}"),
        journey("charged", b, "Server Charged", send("charged", b, **{"class": "service"}), reentry={"mode": "always"}),
    )
    known = fact(shop, "ann", "identify", attributes={"firstName": "Ann"})
    known["identifiers"].append(f"email:{shop.address('ann')}")
    charge = fact(
        shop, "ann", event="Server Charged", properties={"total": {"minor": 199900, "currency": "RUB"}, "product": "vds-2"}
    )
    bad = json.dumps({**charge, "occurred_at": "yesterday"}).encode()
    before = await shop.api("GET", "/api/dead-letters", params={"limit": 1000})
    await write(shop, known, bad, b"\x00 not json", charge, charge)
    (mail,) = await shop.mails()
    assert (mail["to"], mail["subject"]) == ([shop.address("ann")], "charged")
    text = (await shop.letter(mail))["text"]
    assert text.startswith("Ann, ") and "1" in text and "999" in text and text.strip().endswith("for vds-2")
    after = await shop.api("GET", "/api/dead-letters", params={"limit": 1000})
    buried = [one for one in after["items"] if one["id"] not in {old["id"] for old in before["items"]}]
    assert [(one["service"], bool(one["reason"])) for one in buried] == [("profile", True)] * 2
    await shop.post(shop.did("ann", "Server Charged", product="vds-3"))
    assert await shop.came() == once(("ann", "charged")), "the way is open for what comes after"
