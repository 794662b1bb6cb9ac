"""C5: who has a key of some brands sees and touches what is theirs; a person in two brands is known as one."""

import msgspec
import pytest

from schemas.facts import encode
from schemas.ids import derive
from schemas.memberships import Membership
from services.profile.__main__ import service as profile
from services.profile.domain.accounts import account_id
from services.profile.domain.deals import deal_id
from services.warehouse.__main__ import service as warehouse
from tests.gateway.conftest import open_site, problem_of
from tests.gateway.test_decisions import tell, told
from tests.gateway.test_people import settled
from tests.support.live import T0, fact, publish

ANN, BOB, EVE = "user_id:ann", "user_id:bob", "user_id:eve"


def group(message: str, who: str, brand: str, **traits):
    return fact(message, who, brand=brand, type="group", event="", properties={"group_id": "acme", **traits})


async def test_a_key_of_a_brand_sees_its_people_and_of_them_what_is_its_own(config):
    async with open_site(config, profile(), warehouse(pace_s=0)) as site:
        said = {"channel": "email", "topic": "*"}
        facts = [
            fact("1", ANN, "email:ann@example.org", brand="design", type="identify", event="", attributes={"city": "Omsk"}),
            fact("2", ANN, brand="code", event="Consent Granted", properties=said, at=T0 + 1),
            fact("3", ANN, brand="design", event="Consent Withdrawn", properties=said, at=T0 + 2),
            fact("4", BOB, brand="code", at=T0 + 3),
            group("5", ANN, "design", role="buyer", name="Acme"),
            group("6", EVE, "code", role="director"),
            fact("7", BOB, brand="code", source="crm", event="Deal Updated", properties={"deal_id": "1", "stage": "new", "account": "acme"}),
            fact("8", ANN, brand="design", source="crm", event="Deal Updated", properties={"deal_id": "1", "stage": "won"}),
        ]  # fmt: skip
        await publish(config, facts, key="one")
        await settled(site)
        key = await site.new_key("read", brands=["design"])
        other = await site.new_key("read", brands=["market"])

        async def get(path: str, key: str = key):
            return await site.as_key("GET", path, key)

        ids = {name: (await site.http.get("/api/profiles", params={"identifier": name})).json()["id"] for name in (ANN, BOB, EVE)}
        entered = Membership(type="entered", received_at=T0 + 4, id="m", profile=ids[ANN], segment="vip", at=T0 + 4, why="fact")
        await publish(config, [encode(entered)], "memberships", key=ids[ANN])
        verdicts = [msgspec.structs.replace(told(n, ids[ANN], T0 + n), brand=brand) for n, brand in ((5, "design"), (6, "code"))]
        await tell(config, *verdicts)
        await settled(site)

        whole = (await site.http.get(f"/api/profiles/{ids[ANN]}")).json()
        assert whole["brands"] == ["code", "design"]
        ann = (await get(f"/api/profiles/{ids[ANN]}")).json()
        assert ann["attributes"]["city"] == "Omsk" and [one["role"] for one in ann["accounts"]] == ["buyer"]
        assert [one["id"] for one in ann["deals"]] == [deal_id("design", "crm", "1")]
        assert (await get("/api/profiles?identifier=user_id:ann")).json() == ann

        for name, person in ((BOB, ids[BOB]), (EVE, ids[EVE])):
            problem_of(await get(f"/api/profiles?identifier={name}"), 404, "profile_not_found")
            for path in ("", "/timeline", "/decisions", "/consents"):
                problem_of(await get(f"/api/profiles/{person}{path}"), 404, "profile_not_found")
                problem_of(await get(f"/api/profiles/{ids[ANN]}{path}", other), 404, "profile_not_found")

        words = (await get(f"/api/profiles/{ids[ANN]}/consents")).json()["items"]
        assert [(one["brand"], one["action"]) for one in words] == [("design", "withdrawn")]
        timeline = (await get(f"/api/profiles/{ids[ANN]}/timeline")).json()["items"]
        assert {one["brand"] for one in timeline} == {"design"} and {one["kind"] for one in timeline} == {"fact", "decision"}
        everything = (await site.http.get(f"/api/profiles/{ids[ANN]}/timeline")).json()["items"]
        assert {one.get("brand") for one in everything} == {"design", "code", None}
        decisions = (await get(f"/api/profiles/{ids[ANN]}/decisions")).json()["items"]
        assert [one["step"] for one in decisions] == ["letter5"]

        acme = account_id("acme")
        company = (await get(f"/api/accounts/{acme}")).json()
        assert company["attributes"] == {"name": "Acme"} and company["deals"] == []
        assert company["members"] == [{"profile": ids[ANN], "role": "buyer", "named_at": T0}]
        assert {line["who"] for line in company["history"] if "who" in line} == {ids[ANN]}
        full = (await site.http.get(f"/api/accounts/{acme}")).json()
        assert {one["profile"] for one in full["members"]} == {ids[ANN], ids[EVE]} and len(full["deals"]) == 1
        problem_of(await get(f"/api/accounts/{acme}", other), 404, "thing_not_found")
        problem_of(await get(f"/api/deals/{deal_id('code', 'crm', '1')}"), 404, "thing_not_found")
        assert (await get(f"/api/deals/{deal_id('design', 'crm', '1')}")).json()["stage"] == "won"
        assert (await get("/api/accounts")).json()["items"] and not (await get("/api/accounts", other)).json()["items"]


async def test_companies_are_listed_by_their_group_ids_page_by_page_and_found(config):
    async with open_site(config, profile()) as site:
        keys = ["b~1", "a", "Ы", "c"]
        await publish(
            config, [fact(key, ANN, type="group", event="", properties={"group_id": key, "name": f"N{key}"}) for key in keys]
        )
        await settled(site)
        seen, cursor = [], ""
        while cursor is not None:
            page = (await site.http.get("/api/accounts", params={"limit": 1, "next": cursor})).json()
            seen += [one["key"] for one in page["items"]]
            cursor = page["next"]
        assert sorted(seen) == sorted(keys) and len(seen) == 4
        (one,) = (await site.http.get("/api/accounts", params={"key": "Ы"})).json()["items"]
        assert one == {"id": account_id("Ы"), "key": "Ы", "name": "NЫ", "kind": "unknown"}
        problem_of(await site.http.get("/api/accounts", params={"next": "x"}), 422, "invalid")
        for path in (f"/api/accounts/{derive('x')}", "/api/accounts/zzz", "/api/deals/a_b", f"/api/deals/{one['id']}"):
            problem_of(await site.http.get(path), 404, "thing_not_found")


@pytest.mark.parametrize("status", [None, "won"])
async def test_a_deal_has_its_history_sorted_by_time_with_who_said_it(config, status):
    async with open_site(config, profile()) as site:
        steps = [
            {"stage": "new"},
            {"stage": "offer", "amount": {"minor": 5, "currency": "RUB"}},
            {"stage": "end", "status": status},
        ]
        facts = [
            fact(f"{n}", ANN, event="Deal Updated", source="crm", at=T0 + n, properties={"deal_id": 7, **said})
            for n, said in enumerate(steps)
        ]
        await publish(config, [facts[2], facts[0], facts[1]], key="one")
        await settled(site)
        deal = (await site.http.get(f"/api/deals/{deal_id('shop', 'crm', '7')}")).json()
        assert (deal["stage"], deal["status"], deal["amount"]) == ("end", status or "open", {"minor": 5, "currency": "RUB"})
        moves = [(line["at"] - T0, line["by"], line["changes"]["stage"]) for line in deal["history"]]
        assert moves == [
            (0, "crm", {"from": None, "to": "new"}),
            (1, "crm", {"from": "new", "to": "offer"}),
            (2, "crm", {"from": "offer", "to": "end"}),
        ]
        person = (await site.http.get(f"/api/profiles?identifier={ANN}")).json()
        assert deal["profiles"] == [person["id"]] and person["deals"][0]["deal_id"] == "7"
