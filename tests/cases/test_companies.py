"""C4, C11: a company with several contacts and roles, and its deals: who is written to, what he reads, and whom segments find."""

import pytest

from tests.support.shop import HOUR, MINUTE, Shop, journey, once, segment, send, template


def knows(path: str, op: str, value=None, name: str = "account", **more):
    return {"kind": "attribute", "name": name, "path": path, "op": op, **({} if value is None else {"value": value}), **more}


@pytest.mark.case("C4")
async def test_contacts_of_a_company_read_what_is_for_their_role_and_segments_ask_about_the_company(shop: Shop):
    b, acme = shop.brand, f"{shop.brand}-acme"
    text = (
        "{{ profile.account.name }}: {% if profile.account.role == 'director' %}what it saves you"
        "{% elsif profile.account.role == 'buyer' %}the price list{% else %}hello{% endif %}"
    )
    large = {"kind": "all", "of": [knows("kind", "eq", "legal"), knows("employees", "ge", 100)]}
    unknown = knows("kind", "eq", "unknown")
    colleague = {"kind": "did", "event": "Account Order Completed"}
    await shop.publish(
        template("offer", b, text=text), template("ask", b), template("again", b),
        segment("large", b, large), journey("large", b, {"segment": f"{b}-large"}, send("offer", b)),
        segment("unknown", b, unknown), journey("unknown", b, {"segment": f"{b}-unknown"}, send("ask", b)),
        journey("bought", b, "Account Order Completed", send("again", b), audience=colleague),
    )  # fmt: skip
    people = ("ann", "bob", "eve", "max")
    await shop.post(*(call for who in people for call in (shop.is_(who), shop.agrees(who))))
    await shop.post(
        shop.call("group", "ann", groupId=acme, traits={"name": "Acme", "kind": "legal", "role": "buyer", "employees": 20}),
        shop.call("group", "bob", groupId=acme, traits={"role": "director"}),
        shop.call("group", "max", groupId=f"{b}-small", traits={"name": "Small"}),
    )
    assert await shop.came() == once(("max", "ask")), "a company of which nobody knows the kind"
    await shop.until(shop.now + MINUTE)
    # Somebody tells of the company, and all of it are found; who comes to it later too.
    await shop.post(shop.call("group", "bob", groupId=acme, traits={"employees": 150}))
    mails = await shop.mails()
    texts = {mail["to"][0].partition("@")[0]: (await shop.letter(mail))["text"].strip() for mail in mails}
    assert texts == {"ann": "Acme: the price list", "bob": "Acme: what it saves you"}
    await shop.post(shop.call("group", "eve", groupId=acme))
    assert [(await shop.letter(mail))["text"].strip() for mail in await shop.mails()] == ["Acme: hello"]
    await shop.until(shop.now + MINUTE)
    # What one of them buys the others are asked about; who has left hears nothing of it.
    await shop.post(shop.did("eve", "Account Left", group_id=acme))
    await shop.post(shop.call("track", "ann", event="Order Completed", properties={"total": 5}, context={"groupId": acme}))
    assert await shop.came() == once(("bob", "again"))
    eve = await shop.profile(f"email:{shop.address('eve')}")
    assert eve["accounts"] == [] and "account" not in eve["attributes"]
    (found,) = (await shop.api("GET", "/api/accounts", params={"key": acme}))["items"]
    company = await shop.api("GET", f"/api/accounts/{found['id']}")
    assert company["attributes"] == {"employees": 150, "kind": "legal", "name": "Acme"}
    assert sorted(one["role"] for one in company["members"]) == ["buyer", "director"]
    said = {name: [line["value"] for line in company["history"] if line["name"] == name] for name in ("employees", "member")}
    assert said == {"employees": [20, 150], "member": [True, True, True, False]}


@pytest.mark.case("C11", "G5")
async def test_a_deal_heard_of_out_of_order_and_lost_leads_on_by_its_reason_and_segments_know_where_deals_stand(shop: Shop):
    b = shop.brand
    await shop.source("crm", currency="RUB")
    lost = {"event": "Deal Lost", "where": [{"path": "reason_lost", "op": "eq", "value": "too expensive"}]}
    elsewhere = knows("stages", "contains", "sales/offer", name="deals")
    steps = (
        {"id": "other", "if": elsewhere, "then": "second", "else": "discount"},
        send("second", b, next="end"),
        send("discount", b),
        {"id": "end", "end": True},
    )
    won = journey("won", b, "Deal Won", send("welcome", b))
    moved = {"event": "Deal Stage Changed", "where": [{"path": "stage", "op": "eq", "value": "offer"}]}
    await shop.publish(
        *(template(name, b) for name in ("second", "discount", "welcome", "offered")),
        journey("lost", b, lost, *steps), won,
        journey("offered", b, moved, send("offered", b), reentry={"mode": "per", "per": "properties.deal_id"}),
    )  # fmt: skip
    start = shop.now
    await shop.until(start + 10 * HOUR)
    people = ("ann", "bob", "eve")
    await shop.post(*(call for who in people for call in (shop.is_(who), shop.agrees(who))))

    def deal(who: str, hour: int, id_: str, **said):
        return shop.did(who, "Deal Updated", start + hour * HOUR, deal_id=id_, pipeline="sales", **said)

    ann = [deal("ann", 1, "1", stage="new", amount=100, currency="RUB"), deal("ann", 2, "1", stage="offer"), deal("ann", 3, "1", stage="end", status="lost", reason_lost="too expensive")]  # fmt: skip
    for number in (2, 1, 0):  # the CRM tells the last first
        await shop.post(ann[number], source="crm")
    assert await shop.came() == once(("ann", "discount"), ("ann", "offered"))
    await shop.post(deal("bob", 4, "2", stage="offer"), deal("bob", 4, "3", stage="new"), source="crm")
    await shop.post(deal("bob", 5, "3", stage="end", status="lost", reason_lost="too expensive"), source="crm")
    assert await shop.came() == once(("bob", "offered"), ("bob", "second")), "another deal of his stands there still"
    await shop.post(deal("eve", 4, "4", status="won"), deal("eve", 5, "5", status="lost", reason_lost="bank refused"), source="crm")
    assert await shop.came() == once(("eve", "welcome"))
    person = await shop.profile(f"email:{shop.address('ann')}")
    (one,) = person["deals"]
    shown = await shop.api("GET", f"/api/deals/{one['id']}")
    assert (shown["amount"], shown["reason_lost"]) == ({"minor": 10_000, "currency": "RUB"}, "too expensive")
    assert [line["changes"]["stage"]["to"] for line in shown["history"]] == ["new", "offer", "end"]
    assert {line["by"] for line in shown["history"]} == {f"{b}-crm"}
    bob = await shop.profile(f"email:{shop.address('bob')}")
    assert (bob["attributes"]["deals"]["stages"], bob["attributes"]["deals"]["reasons"]) == (["sales/offer"], ["too expensive"])
