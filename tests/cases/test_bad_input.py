"""Whatever comes in by the public door: each bad thing is told of by its reason, and what stands beside it goes its way."""

import json

from tests.support.shop import Shop, journey, once, send, template


def bad_ones(shop: Shop) -> dict[str, str]:
    """What is wrong -> the event, as text: some of them no JSON library would write."""

    def text(**more: object) -> str:
        given = {"type": "track", "event": "Asked", "messageId": f"bad-{len(found)}", "userId": shop.user("ann"), **more}
        return json.dumps({name: value for name, value in given.items() if value is not None})

    found: dict[str, str] = {}
    found["wrong_type"] = text(properties="none")
    found["event_too_large"] = text(properties={"text": "x" * 33_000})
    found["call_unknown"] = text(type="shout")
    found["identifiers_missing"] = text(userId=None)
    found["timestamp_invalid"] = text(timestamp="1970-01-01T00:00:00Z")
    found["bad_text"] = text(properties={"name": "lone \ud800 half"})
    found["bad_text, NUL"] = text(properties={"name": "a\x00b"})
    found["too_many_fields"] = text(properties=dict.fromkeys(map(str, range(1_001))))
    found["event_too_large, 10,000 properties"] = text(properties=dict.fromkeys(map(str, range(10_000))))
    found["nesting_too_deep"] = text(properties="HERE").replace('"HERE"', '{"a":' * 1_000 + "1" + "}" * 1_000)
    return found


async def test_each_bad_event_is_a_dead_letter_with_its_reason_and_its_neighbours_arrive(shop: Shop):
    b = shop.brand
    asked = journey("asked", b, "Asked", send("asked", b, **{"class": "service"}), reentry={"mode": "always"})
    await shop.publish(template("asked", b), asked)
    await shop.post(shop.is_("ann"))
    future = json.dumps({**shop.did("ann", "Asked"), "timestamp": "2090-01-01T00:00:00Z"})
    bad = bad_ones(shop)
    events = [part for event in bad.values() for part in (json.dumps(shop.did("ann", "Asked")), event)]
    before = {one["id"] for one in (await shop.api("GET", "/api/dead-letters", params={"limit": 1000}))["items"]}
    answer = await shop.installation.public.post(
        "/v1/batch", auth=(shop.write_keys["site"], ""), content=f'{{"batch":[{",".join([*events, future])}]}}'
    )
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    await shop.settle()
    assert (await shop.came())["ann", "asked"] == len(bad) + 1, "a date of the future is one of now"
    letters = (await shop.api("GET", "/api/dead-letters", params={"limit": 1000}))["items"]
    reasons = [one["reason"] for one in letters if one["id"] not in before]
    assert sorted(reasons) == sorted(name.partition(",")[0] for name in bad)


async def test_a_body_that_cannot_be_read_is_refused_whole(shop: Shop):
    key = shop.write_keys["site"]
    broken = ("{", "", '{"batch": [' + "[" * 100_000, '{"batch": [{"type": "track"}')
    for code, bodies in {"json_broken": broken, "body_wrong": ('{"batch": 5}', "[]"), "body_too_large": (" " * 600_000,)}.items():
        for body in bodies:
            answer = await shop.installation.public.post("/v1/batch", auth=(key, ""), content=body)
            assert (answer.status_code, answer.json()["code"]) == (400, code), body[:20]
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_template_that_loops_for_ever_costs_its_own_letter_alone(shop: Shop):
    b = shop.brand
    endless = "{% for i in (1..99999999) %}{% for j in (1..99999999) %}x{% endfor %}{% endfor %}"
    await shop.publish(
        template("endless", b, text=endless), template("plain", b),
        journey("two", b, "Asked", send("endless", b), send("plain", b)),
    )  # fmt: skip
    await shop.post(shop.is_("ann"), shop.agrees("ann"), shop.did("ann", "Asked"))
    assert await shop.came() == once(("ann", "plain"))
    told = await shop.decisions("ann")
    assert ("endless", "failed", "template:too_many_iterations") in told
