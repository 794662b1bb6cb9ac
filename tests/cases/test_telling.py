"""J5, G7, R7: a manager is told of a customer, by a webhook that is signed and repeated, or by a letter."""

import json

import pytest

from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, segment, send, template

END = {"id": "end", "end": True}


async def receiver(shop: Shop, key: str = "crm") -> str:
    """Put an endpoint in force and give its secret to the receiver; the path of its calls."""
    path, name = f"/{shop.brand}/{key}", f"{shop.brand}-{key}"
    body = {"key": name, "brand": shop.brand, "url": shop.installation.hooks_url + path}
    await shop.publish({"kind": "webhook", "body": body})
    shop.installation.hooks.secrets[path] = (await shop.api("POST", f"/api/webhooks/{name}/secret"))["secret"]
    return path


def calls(shop: Shop, path: str) -> list[dict]:
    return [one for one in shop.installation.hooks.record.accepted if one["path"] == path]


@pytest.mark.case("J5", "P3")
async def test_a_manager_is_told_by_webhook_when_a_middle_size_trial_ends_whatever_the_receiver_does_first(shop: Shop):
    b, start, hooks = shop.brand, shop.now, shop.installation.hooks
    trial, path = f"Trial {b}", await receiver(shop)
    middle = {"id": "size", "if_data": [{"path": "event.size", "op": "eq", "value": "middle"}], "then": "tell", "else": "end"}
    told = {
        "id": "told",
        "until": {"letter": {"step": "tell", "became": "accepted"}},
        "at_most": "2d",
        "then": "offer",
        "else": "end",
    }
    await shop.publish(
        template("offer", b),
        journey(
            "trial", b, trial, {"id": "trial", "wait": "14d"}, middle,
            {"id": "tell", "hand": {"webhook": f"{b}-crm", "type": "trial.ended"}}, told, send("offer", b), END,
        ),
        segment("handed", b, {"kind": "did", "event": "Handed to Manager"}),
    )  # fmt: skip
    for who, size, phone in (("ann", "middle", "+79161234567"), ("bob", "small", "+79161234560")):
        await shop.post(shop.is_(who, phone=phone), shop.agrees(who), shop.did(who, trial, size=size))
    hooks.script.put(path, ["503 after 60", "429"])
    await shop.until(start + 14 * DAY - MINUTE)
    assert calls(shop, path) == [] and await shop.came() == once()
    await shop.until(start + 14 * DAY)
    assert dict(hooks.record.refused) == {"503 after 60": 1} and calls(shop, path) == []
    await shop.until(start + 14 * DAY + MINUTE)
    assert (hooks.record.refused["429"], calls(shop, path)) == (1, [])
    await shop.until(start + 14 * DAY + 2 * MINUTE)
    (call,) = calls(shop, path)
    said = json.loads(call["body"])
    ann = await shop.profile(f"user_id:{shop.user('ann')}")
    assert said["type"] == "trial.ended" and said["data"]["event"]["size"] == "middle"
    assert said["data"]["person"]["id"] == ann["id"] and said["data"]["person"]["attributes"]["firstName"] == "Ann"
    assert said["data"]["person"]["addresses"] == {"email": shop.address("ann"), "phone": "+79161234567"}
    assert await shop.came() == once(("ann", "offer")), "the run waited for the answer"
    decisions = await shop.decisions("ann")
    assert ("tell", "sent", "handoff") in decisions and ("tell", "accepted", "") in decisions
    members = (await shop.api("GET", f"/api/segments/{b}-handed/members"))["items"]
    assert [one["profile"] for one in members] == [ann["id"]]


@pytest.mark.case("G7", "R7")
async def test_hot_leads_go_to_the_managers_also_those_who_get_no_marketing(shop: Shop):
    b, path = shop.brand, await receiver(shop, "calls")
    hot, mine = {"kind": "did", "event": f"Hot {b}"}, {"kind": "attribute", "name": "manager_only", "op": "eq", "value": True}
    lead = {"template": f"{b}-lead", "to": {"attribute": "manager_email", "address": f"sales@{b}.example"}}
    body = {"phone": "{{ person.addresses.phone }}", "name": "{{ profile.firstName }}"}
    async with shop.rule(manager_only=mine):
        await shop.publish(
            template("lead", b, text="{{ profile.firstName }} {{ unsubscribe_url }}"), template("promo", b),
            segment("hot", b, hot),
            journey(
                "hot", b, {"segment": f"{b}-hot", "change": "entered"}, send("promo", b),
                {"id": "call", "hand": {"webhook": f"{b}-calls", "body": body}}, {"id": "lead", "hand": lead}, END,
            ),
        )  # fmt: skip
        await shop.post(
            shop.is_("ann", phone="+79161234568", manager_only=True, manager_email=f"mark@{b}.example"), shop.agrees("ann")
        )
        await shop.post(shop.is_("bob"), shop.agrees("bob"))
        await shop.post(shop.did("ann", f"Hot {b}"), shop.did("bob", f"Hot {b}"))
        await shop.until(shop.now + HOUR)
    told = [json.loads(one["body"]) for one in calls(shop, path)]
    assert sorted(told, key=str) == [{"phone": "", "name": "Bob"}, {"phone": "+79161234568", "name": "Ann"}]
    assert await shop.came() == once(("mark", "lead"), ("sales", "lead"), ("bob", "promo"))
    assert ("promo", "skipped", "manager_only") in await shop.decisions("ann")
    ann = (await shop.profile(f"user_id:{shop.user('ann')}"))["id"]
    events = [one.get("name") for one in (await shop.api("GET", f"/api/profiles/{ann}/timeline", params={"limit": 1000}))["items"]]
    assert (events.count("Handed to Manager"), events.count("Email Sent")) == (2, 0), "what a manager gets is no letter to her"
    shop.installation.hooks.script.put(path, ["410"])
    await shop.post(shop.is_("eve"), shop.did("eve", f"Hot {b}"))
    await shop.until(shop.now + HOUR)
    status = await shop.api("GET", f"/api/webhooks/{b}-calls/status")
    assert status["off_since"] is not None and ("call", "failed", "provider:gone") in await shop.decisions("eve")
    await shop.post(shop.call("track", "pat", userId=None, anonymousId=f"{b}-pat", event=f"Hot {b}", properties={}))
    await shop.until(shop.now + HOUR)
    pat = (await shop.profile(f"anonymous_id:{b}-pat"))["id"]
    told = (await shop.api("GET", f"/api/profiles/{pat}/decisions"))["items"]
    assert ("failed", "webhook:gone") in [(one["verdict"], one.get("rule")) for one in told], "of whom nobody knows an address"
    assert len(calls(shop, path)) == 2
