"""C1, C3: two people whom a slip made one are two again, and everything that follows from who they are is each one's own."""

import pytest

from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, segment, send, template

BUYS = "Order Completed"


@pytest.mark.case("C1", "C3")
async def test_a_wrong_merge_is_taken_back_and_each_has_his_own_segments_letters_and_words(shop: Shop):
    b, phone = shop.brand, f"+7916{int(shop.brand[1:], 16) % 10_000_000:07d}"
    await shop.source("till")
    twice = segment("twice", b, {"kind": "did", "event": BUYS, "op": "ge", "value": 2})
    note = {"text": "{{ event.note }} of {{ profile.firstName }}"}
    chain = (send("first", b), {"id": "day", "wait": "1d"}, send("second", b))
    topics = (template("first", b, **note), template("second", b, **note), template("thanks", b), template("digest", b))
    await shop.publish(
        *topics, twice, journey("asked", b, "Asked", *chain), journey("thanks", b, {"segment": f"{b}-twice"}, send("thanks", b)),
        journey("digest", b, "Digest Issued", send("digest", b), reentry={"mode": "always"}),
    )  # fmt: skip

    def bob(kind: str = "track", **more) -> dict:
        """He is known by his phone alone, at the till."""
        return shop.call(kind, "", userId=None, context={"traits": {"phone": phone}}, **more)

    start = shop.now
    await shop.post(shop.is_("ann"), shop.agrees("ann"), shop.did("ann", BUYS, order_id="a1"))
    his = {"phone": phone, "email": shop.address("bob"), "firstName": "Bob"}
    agrees = {"event": "Consent Granted", "properties": {"channel": "email", "topic": "*"}}
    await shop.post(shop.call("identify", "", userId=None, traits=his), bob(**agrees), source="till")
    await shop.post(
        bob(event="Asked", properties={"note": "kettle"}), bob(event=BUYS, properties={"order_id": "b1"}), source="till"
    )
    assert await shop.came() == once(("bob", "first"))
    before = await shop.profile(f"phone:{phone}")

    # A slip of the hand: his phone in her form.
    await shop.until(start + HOUR)
    await shop.post(shop.call("identify", "ann", traits={"phone": phone}))
    one = await shop.profile(f"phone:{phone}")
    assert one == await shop.profile(f"user_id:{shop.user('ann')}") and before["id"] in {one["id"], *one["merged"]}
    came = await shop.came()
    assert sum(came.values()) == 1 and {subject for _, subject in came} == {"thanks"}, "two orders: of her and of him"
    await shop.until(start + 2 * HOUR)
    await shop.post(bob(event=BUYS, properties={"order_id": "b2"}), source="till")
    no = {"event": "Consent Withdrawn", "properties": {"channel": "email", "topic": "*"}}
    await shop.post(shop.call("track", "ann", **no))

    asked = {"apart": [f"phone:{phone}", f"email:{shop.address('bob')}"], "reason": "a slip"}
    told = await shop.api("POST", f"/api/profiles/{one['id']}/unmerge", json={**asked, "rehearse": True})
    mine = {f"user_id:{shop.user('ann')}", f"email:{shop.address('ann')}"}
    assert sorted(sorted(person["identifiers"]) for person in told["people"]) == sorted([sorted(mine), sorted(asked["apart"])])
    await shop.api("POST", f"/api/profiles/{one['id']}/unmerge", json=asked)
    await shop.settle()
    ann, his_own = await shop.profile(f"user_id:{shop.user('ann')}"), await shop.profile(f"phone:{phone}")
    assert ann["id"] != his_own["id"] and his_own["attributes"]["firstName"] == "Bob" and ann["attributes"]["firstName"] == "Ann"
    await shop.until(start + 2 * HOUR + MINUTE)

    # Segments: each by his own orders.
    members = {}
    for record in sorted(await shop.installation.log.records("memberships"), key=lambda record: record.get("at", 0)):
        if record.get("segment") == f"{b}-twice":
            members[record["profile"]] = record["type"]
    assert members[ann["id"]] == "left" and members[his_own["id"]] == "entered"
    assert await shop.came() == once(), "what was sent stays sent, and nobody gets it twice"

    # Words: her no is hers alone. Letters: his run goes on, and only his.
    await shop.post(shop.did("ann", "Digest Issued"), shop.call("identify", "ann", traits={"phone": phone}))
    await shop.post(bob(event="Digest Issued"), source="till")
    assert await shop.came() == once(("bob", "digest"))
    assert ann["id"] != (await shop.profile(f"phone:{phone}"))["id"], "no fact makes them one again"
    await shop.until(start + DAY)
    mails = await shop.mails()
    assert [(mail["to"][0], mail["subject"]) for mail in mails] == [(shop.address("bob"), "second")]
    assert "kettle of Bob" in (await shop.letter(mails[0]))["text"]

    # Timelines: each his own facts, also of the time when they were one; both say what became of them.
    orders = {}
    for who, person in (("ann", ann), ("bob", his_own)):
        items = (await shop.api("GET", f"/api/profiles/{person['id']}/timeline", params={"limit": 1000}))["items"]
        orders[who] = sorted(item["properties"]["order_id"] for item in items if item.get("name") == BUYS)
    assert orders == {"ann": ["a1"], "bob": ["b1", "b2"]}
    copy = await shop.api("GET", f"/api/profiles/{his_own['id']}/consents")
    assert [word["action"] for word in copy["items"]] == ["granted"]
