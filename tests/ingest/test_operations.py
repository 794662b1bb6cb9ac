"""The operations of Mindbox by the ready connector: their facts, and answers as a shop's code expects them."""

import json
from collections import Counter
from pathlib import Path

import httpx
import pytest
import yaml
from pydantic import ValidationError

from schemas.connectors import Connector
from schemas.write_keys import hash_of
from services.ingest.api import Overloaded, Unavailable, app
from services.ingest.api.operations import OperationsEdge
from services.ingest.domain import Fault
from services.ingest.handler.connectors import Hooks
from services.ingest.store import Kept
from tests.ingest.conftest import NOW, MemoryBuried, MemoryLog

READY = Path(__file__).parents[2] / "deploy" / "connectors" / "mindbox.yaml"
BODIES = Path(__file__).parent / "data" / "mindbox"
SECRET = "s3cret"
DEVICE = "0a5c2c7e-3d2e-4a57-9a41-3c1d0c9a6a11"
ANN = ("user_id:77", "email:ann@example.org", "phone:+79161234567")


def ready() -> Connector:
    body = yaml.safe_load(READY.read_text(encoding="utf-8"))["body"]
    return Connector.model_validate({**body, "endpoint": {**body["endpoint"], "secret": hash_of(SECRET)}})


class MemoryPayloads:
    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.noted: dict[int, tuple[int, list[Fault]]] = {}

    async def add(self, connector, brand, now, content_type, query, body) -> Kept:
        number = len(self.kept) + 1
        told = {"content_type": content_type, "query": query, "body": body}
        self.kept.append(Kept(id=number, received_at=now, first_at=now, facts=0, faults=[], **told))
        return self.kept[-1]

    async def note(self, payload, facts, faults) -> None:
        self.noted[payload] = (facts, faults)


class Shop:
    """What a shop has of us: an address in place of api.mindbox.ru."""

    def __init__(self) -> None:
        self.log, self.payloads = MemoryLog(), MemoryPayloads()
        connectors = {"mindbox": ready()}
        hooks = Hooks(connectors, self.payloads, self.log, self.now, 12)
        edge = app(self.log, MemoryBuried(), {}.get, self.now, 12, None, OperationsEdge(hooks))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://us")

    async def now(self) -> tuple[int, bool]:
        return NOW, False

    async def call(self, operation, body, mode="async", *, secret=SECRET, headers=None, **query) -> httpx.Response:
        asked = {"endpointId": "Mindbox", "operation": operation, "deviceUUID": DEVICE, **query}
        given = {"Authorization": f'Mindbox secretKey="{secret}"'} if secret else {}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked = {name: value for name, value in asked.items() if value is not None}
        more = {"Content-Type": "application/json", **given, **(headers or {})}
        return await self.http.post(f"/v3/operations/{mode}", params=asked, content=content, headers=more)


@pytest.fixture
async def shop():
    made = Shop()
    async with made.http:
        yield made


def body_of(name: str) -> dict:
    return json.loads((BODIES / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "operation", "expected"),
    [
        (
            "register",
            "Website.RegisterCustomer",
            [("identify", "", ANN), ("track", "Registered", ANN), *[("track", "Consent Granted", ANN)] * 2,
             ("track", "Consent Withdrawn", ANN), ("track", "Subscription Changed", ANN)],
        ),
        ("view-product", "Website.ViewProduct", [("track", "Product Viewed", ())]),
        ("view-category", "Website.ViewCategory", [("track", "Product List Viewed", ())]),
        ("set-cart", "Website.SetCart", [("track", "Cart Updated", ())]),
        ("set-cart", "Website.SetWishList", [("track", "Wishlist Updated", ())]),
        ("order", "Website.CreateAuthorizedOrder", [("identify", "", ANN[:2]), ("track", "Order Completed", ANN[:2])]),
        ("order", "Website.UpdateOrder", [("track", "Order Updated", ANN[:2])]),
        ("order-status", "Website.UpdateOrderStatus", [("track", "Order Status Changed", ANN[1:])]),
        ("unsubscribe", "Website.UnsubscribeCustomer", [("identify", "", ANN[1:2]), ("track", "Consent Withdrawn", ANN[1:2])]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["async", "sync"])
async def test_the_operations_of_a_shop_become_facts(shop, mode, name, operation, expected):
    answer = await shop.call(operation, body_of(name), mode, transactionId="t-1")
    assert (answer.status_code, answer.json()) == (200, {"status": "Success"})
    assert Counter((f.type, f.event, f.identifiers) for f in shop.log.facts) == Counter(
        (kind, event, (*names, f"anonymous_id:{DEVICE}")) for kind, event, names in expected
    )
    assert {(f.brand, f.source) for f in shop.log.facts} == {("shop", "hook.mindbox")}
    first = Counter(f.id for f in shop.log.facts)
    await shop.call(operation, body_of(name), mode, transactionId="t-1")
    assert Counter(f.id for f in shop.log.facts) == first + first, "the same transaction: the same facts"
    await shop.call(operation, body_of(name), mode, transactionId="t-2")
    assert len({f.id for f in shop.log.facts}) == 2 * len(first)
    assert not shop.payloads.kept, "what was understood is in the log and nowhere else"


async def test_money_moments_and_lines_are_those_of_the_tracking_api(shop):
    await shop.call("Website.CreateAuthorizedOrder", body_of("order"), transactionId="t")
    order = shop.log.facts[1]
    assert order.properties == {
        "order_id": "1001",
        "total": {"minor": 408_150, "currency": "RUB"},
        "shipping": {"minor": 10_000, "currency": "RUB"},
        "products": [
            {"product_id": "p-1", "quantity": 2, "price": {"minor": 199_050, "currency": "RUB"}, "status": "Created"},
            {"product_id": "p-2", "quantity": 1, "price": {"minor": 50, "currency": "RUB"}, "status": ""},
        ],
    }
    assert order.occurred_at == 1_795_168_800_123 and order.received_at == NOW
    later = {**body_of("order"), "executionDateTimeUtc": "2030-01-01T00:00:00Z"}
    await shop.call("Website.CreateAuthorizedOrder", later, transactionId="t2")
    assert shop.log.facts[-1].occurred_at == NOW, "nothing has happened yet in the future"


async def test_subscriptions_are_words_of_consent_of_their_channel_and_topic(shop):
    await shop.call("Website.RegisterCustomer", body_of("register"), headers={"X-Customer-IP": "10.0.0.1"})
    said = {
        (f.event, f.properties["channel"], f.properties["topic"]): f.properties
        for f in shop.log.facts
        if f.event.startswith("Consent")
    }
    assert set(said) == {("Consent Granted", "Email", "news"), ("Consent Granted", "*", "*"), ("Consent Withdrawn", "SMS", "*")}
    (word,) = [p for (event, channel, _), p in said.items() if channel == "SMS"]
    assert word["brand"] == "shop" and word["evidence"] == {"operation": "Website.RegisterCustomer", "ip": "10.0.0.1"}
    (other,) = [f for f in shop.log.facts if f.event == "Subscription Changed"]
    assert other.properties == {"channel": "Webpush", "brand": "shop", "subscribed": False}, "a no to it forbids no letters"


async def test_pages_and_apps_send_what_is_open_without_a_secret_and_nothing_else(shop):
    assert (await shop.call("Website.ViewProduct", body_of("view-product"), secret=None)).json() == {"status": "Success"}
    for refused in (
        await shop.call("Website.RegisterCustomer", body_of("register"), secret=None),
        await shop.call("Website.ViewProduct", body_of("view-product"), secret="wrong"),
        await shop.call("Website.ViewProduct", body_of("view-product"), endpointId="other"),
        await shop.call("Website.ViewProduct", body_of("view-product"), endpointId=None),
    ):
        assert (refused.status_code, refused.json()["status"], refused.json()["httpStatusCode"]) == (401, "ProtocolError", 401)
    for other in (f"SecretKey {SECRET}", f"mindbox secretKey={SECRET}"):
        told = {"Authorization": other}
        assert (await shop.call("Website.RegisterCustomer", body_of("register"), secret=None, headers=told)).status_code == 200
    for wrong in ("", "Mindbox", 'Mindbox secretKey=""', f"Bearer {SECRET}"):
        told = {"Authorization": wrong}
        assert (await shop.call("Website.ViewProduct", body_of("view-product"), secret=None, headers=told)).status_code == 401


async def test_what_is_wrong_with_the_data_is_told_with_its_location_and_nothing_of_a_sync_operation_is_taken(shop):
    wrong = body_of("register")
    wrong["customer"]["email"], wrong["customer"]["mobilePhone"] = "ann at example", "none"
    answer = await shop.call("Website.RegisterCustomer", wrong, "sync")
    assert answer.status_code == 200 and answer.json() == {
        "status": "ValidationError",
        "validationMessages": [
            {"message": "Значение некорректно.", "location": "/customer/email"},
            {"message": "Значение некорректно.", "location": "/customer/mobilePhone"},
        ],
    }
    assert shop.log.facts == [] and len(shop.payloads.kept) == 1
    english = await shop.call("Website.RegisterCustomer", wrong, "sync", headers={"Accept-Language": "en-GB"})
    assert english.json()["validationMessages"][0]["message"] == "The value is not correct."
    assert (await shop.call("Website.RegisterCustomer", wrong, "async")).json() == {"status": "Success"}
    assert {f.identifiers for f in shop.log.facts} == {("user_id:77", f"anonymous_id:{DEVICE}")}, "he has another name"


@pytest.mark.parametrize("mode", ["async", "sync"])
@pytest.mark.parametrize(
    ("body", "query", "locations"),
    [
        ({"customer": {}}, {"deviceUUID": None}, {"/customer"}),
        ({"customer": {"email": "a@example.org"}, "executionDateTimeUtc": "yesterday"}, {}, {"/executionDateTimeUtc"}),
        ({"customer": {"email": "a@example.org"}, "executionDateTimeUtc": "1970-01-01T00:00:00Z"}, {}, {"/executionDateTimeUtc"}),
    ],
)
async def test_each_fault_has_a_location(shop, mode, body, query, locations):
    answer = (await shop.call("Website.RegisterCustomer", body, mode, **query)).json()
    assert answer["status"] == "ValidationError" and {one["location"] for one in answer["validationMessages"]} == locations
    assert shop.log.facts == []


async def test_a_fault_of_a_subscription_has_its_location_and_an_empty_address_is_none(shop):
    body = {"customer": {"email": "a@example.org", "mobilePhone": "", "subscriptions": [{"pointOfContact": 5}]}}
    answer = (await shop.call("Website.EditCustomer", body, "sync")).json()
    assert answer["status"] == "Success"
    huge = {"order": {"ids": {"x": "1"}, "email": "a@example.org", "totalPrice": 10**18}}
    answer = (await shop.call("Website.UpdateOrder", huge, "sync")).json()
    assert answer["validationMessages"] == [{"message": "Сумма слишком велика.", "location": "/order/totalPrice"}]


async def test_an_operation_that_nothing_is_made_of_is_said_to_be_unknown_and_kept(shop):
    answer = await shop.call("Website.GetRecommendations", {"customer": {"email": "a@example.org"}}, "sync")
    assert answer.status_code == 400 and answer.json()["status"] == "ProtocolError" and "mindbox" in answer.json()["errorMessage"]
    assert [faults[0].code for _, faults in shop.payloads.noted.values()] == ["operation_unknown"]


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"<operation><customer/></operation>", "application/xml", "XML is not read"),
        (b" <operation/>", "application/json", "XML is not read"),
        (b"{", "application/json", "JSON"),
        (b"[]", "application/json", "object"),
        (b'{"a": "' + b"x" * 300_000 + b'"}', "application/json", "256 KB"),
    ],
)
async def test_a_body_that_is_no_json_object_is_a_protocol_error_that_says_so(shop, body, kind, says):
    answer = await shop.call("Website.ViewProduct", body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["status"]) == (400, "ProtocolError") and says in answer.json()["errorMessage"]


async def test_what_the_log_does_not_have_is_not_acknowledged(shop):
    for error, status in ((Overloaded(7), 429), (Unavailable(), 503)):
        shop.log.fails = error
        answer = await shop.call("Website.ViewProduct", body_of("view-product"))
        assert (answer.status_code, answer.json()["status"]) == (status, "InternalServerError") and answer.headers["retry-after"]


async def test_other_addresses_and_methods_are_told_and_browsers_may_ask(shop):
    assert (await shop.http.post("/v3/operations/bulk")).json()["httpStatusCode"] == 404
    assert (await shop.http.get("/v3/operations/async")).status_code == 405
    assert (await shop.http.post("/v3/operations/async?endpointId=mindbox")).json()["httpStatusCode"] == 400
    asked = await shop.http.options("/v3/operations/async", headers={"Origin": "https://shop.example"})
    assert asked.status_code == 204 and asked.headers["access-control-allow-origin"] == "https://shop.example"


def test_each_call_of_an_endpoint_names_its_operations():
    with pytest.raises(ValidationError, match="operations"):
        Connector.model_validate({"key": "k", "brand": "b", "endpoint": {}, "calls": [{"call": "identify"}]})
