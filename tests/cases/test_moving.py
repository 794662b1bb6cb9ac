"""P3: a shop that has spoken to Mindbox changes the host of its calls, and nothing else."""

from pathlib import Path

import httpx
import pytest
import yaml

from schemas.write_keys import hash_of
from tests.support.live import until
from tests.support.shop import Shop, iso, journey, once, segment, send, template

READY = Path(__file__).parents[2] / "deploy" / "connectors" / "mindbox.yaml"
SECRET = "the shop's own key of Mindbox"
LETTERS = {"brand": "shop", "pointOfContact": "Email", "isSubscribed": True}


@pytest.mark.case("P3")
async def test_a_shop_moves_from_mindbox_by_changing_the_host(shop: Shop):
    b = shop.brand
    body = yaml.safe_load(READY.read_text(encoding="utf-8"))["body"]
    given = {**body, "key": f"{b}.website", "brand": b, "endpoint": {**body["endpoint"], "secret": hash_of(SECRET)}}
    viewed = [{"path": "product_id", "op": "eq", "value": "p-1"}]
    spent = {"kind": "total", "event": "Order Completed", "sum": "total.minor", "op": "ge", "value": 408_150}
    await shop.publish(
        {"kind": "connector", "body": given},
        template("hello", b), template("thanks", b), template("again", b),
        segment("large", b, {"kind": "all", "of": [spent, {"kind": "did", "event": "Product Viewed", "where": viewed}]}),
        journey("hello", b, "Registered", send("hello", b)),
        journey("thanks", b, {"segment": f"{b}-large"}, send("thanks", b)),
        journey("again", b, "Cart Updated", send("again", b), reentry={"mode": "always"}),
    )  # fmt: skip

    async def call(mode: str, operation: str, said: dict, secret: bool = True, transaction: str = "") -> httpx.Response:
        asked = {"endpointId": f"{b}.Website", "operation": operation, "deviceUUID": f"device-{b}", "transactionId": transaction}
        headers = {"Authorization": f'Mindbox secretKey="{SECRET}"'} if secret else {}
        told = {**said, "executionDateTimeUtc": iso(shop.now)}
        return await shop.installation.public.post(f"/v3/operations/{mode}", params=asked, json=told, headers=headers)

    async def known() -> bool:
        return (await call("async", "Website.ViewProduct", viewing("p-1"), secret=False)).status_code == 200

    await until(known)  # a visitor, whom nobody knows yet
    ann = {"ids": {"websiteID": shop.user("ann")}, "email": shop.address("ann"), "firstName": "Ann"}
    registers = {"customer": {**ann, "subscriptions": [LETTERS]}}
    for _ in range(2):  # the shop was not sure that we have it
        answer = await call("sync", "Website.RegisterCustomer", registers, transaction=f"{b}-1")
        assert (answer.status_code, answer.json()) == (200, {"status": "Success"})
    await shop.settle()
    assert await shop.came() == once(("ann", "hello"))
    lines = [{"product": {"ids": {"website": "p-1"}}, "basePricePerItem": 1990.75, "quantity": 2}]
    order = {"ids": {"websiteId": "1001"}, "totalPrice": 4081.5, "deliveryCost": 100, "lines": lines}
    await call("async", "Website.CreateAuthorizedOrder", {"customer": ann, "order": order}, transaction=f"{b}-2")
    await shop.settle()
    assert await shop.came() == once(("ann", "thanks")), "the visitor was she"
    no = {**ann, "subscriptions": [{**LETTERS, "isSubscribed": False}]}
    await call("async", "Website.UnsubscribeCustomer", {"customer": no}, transaction=f"{b}-3")
    await call("async", "Website.SetCart", {"productList": [{"product": {"ids": {"website": "p-1"}}, "count": 1}]}, secret=False)
    await shop.settle()
    assert await shop.came() == once(), "she said no"
    assert ("again", "skipped", "consent") in [(s, v, r.partition(":")[0]) for s, v, r in await shop.decisions("ann")]
    wrong = await call("sync", "Website.RegisterCustomer", {"customer": {"email": "ann at example"}})
    assert wrong.json()["validationMessages"][0]["location"] == "/customer/email"


def viewing(product: str) -> dict:
    return {"viewProduct": {"product": {"ids": {"website": product}}, "price": 1990.75}}
