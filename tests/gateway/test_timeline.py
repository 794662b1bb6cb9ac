"""One person's timeline: what he did, whom he became one with and by what, and what was decided about him."""

from schemas.facts import encode
from schemas.memberships import Membership
from services.profile.__main__ import service as profile
from services.warehouse.__main__ import service as warehouse
from tests.gateway.conftest import open_site, problem_of
from tests.gateway.test_decisions import tell, told
from tests.gateway.test_people import settled
from tests.support.live import T0, fact, publish

MAIL, USER, OTHER = "email:ann@example.org", "user_id:a", "user_id:b"


async def test_facts_merges_refusals_segments_and_verdicts_come_newest_first_page_by_page(config):
    async with open_site(config, profile(), warehouse(pace_s=0)) as site:
        bought = {"total": {"minor": 1999, "currency": "GBP"}, "gift": True, "products": [{"sku": "a", "email": MAIL}, 2]}
        await publish(config, [fact("1", MAIL, at=T0), fact("2", USER, at=T0 + 1, event="Bought", properties=bought)], key="one")
        await publish(config, [fact("3", USER, MAIL, at=T0 + 2), fact("4", OTHER, MAIL, at=T0 + 3)], key="one")
        await settled(site)
        person = (await site.http.get("/api/profiles", params={"identifier": MAIL})).json()["id"]
        entered = Membership(type="entered", received_at=T0 + 4, id="m", profile=person, segment="vip", at=T0 + 4, why="fact")
        await publish(config, [encode(entered)], "memberships", key=person)
        await tell(config, told(1, person, T0 + 5, rule="quiet_hours"))
        await settled(site)

        async def page(**params):
            return (await site.http.get(f"/api/profiles/{person}/timeline", params=params)).json()

        whole = (await page())["items"]
        seen = [(one["kind"], one["type"], one.get("name"), one["at"] - T0) for one in whole]
        assert seen[:2] == [("decision", "skipped", None, 5), ("membership", "entered", "vip", 4)]
        assert ("fact", "profile.refused", None, 3) in seen and ("fact", "profile.merged", None, 2) in seen
        assert ("fact", "track", "Bought", 1) in seen and not any(one.get("id") == fact("4").id for one in whole), "another one's"
        merged = next(one for one in whole if one["type"] == "profile.merged")
        assert (merged["properties"]["by"], merged["properties"]["winner"], merged["cause"]) == (
            "user_id+email",
            person,
            fact("3").id,
        )
        refused = next(one for one in whole if one["type"] == "profile.refused")
        assert (refused["properties"]["rule"], refused["properties"]["by"], refused["cause"]) == (
            "never_merge",
            "email",
            fact("4").id,
        )
        deed = next(one for one in whole if one.get("name") == "Bought")
        had = {"total.minor": 1999, "total.currency": "GBP", "gift": True, "products": [{"sku": "a"}, 2]}
        assert deed["properties"] == had
        pages, cursor = [], ""
        while cursor is not None:
            found = await page(limit=2, next=cursor)
            pages += found["items"]
            cursor = found["next"]
        assert pages == whole
        later = fact("5", "user_id:c", at=T0 + 9_000_000, event="Bought", properties={"coupon": "X"})
        await publish(config, [later], key="one")
        await settled(site)
        assert (await page())["items"] == whole, "what others' facts of this event have since, the files of his do not know"
        problem_of(await site.http.get(f"/api/profiles/{person}/timeline", params={"next": "x"}), 422, "invalid")
