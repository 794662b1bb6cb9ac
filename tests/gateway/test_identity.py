"""Rules of identity through the gateway: rehearsed, published, in force for the next fact."""

from uuid import uuid4

from services.profile.__main__ import service as profile
from tests.gateway.conftest import open_site, problem_of
from tests.gateway.test_people import settled
from tests.support.live import T0, fact, publish

MAIL, FREE = "email:x@example.org", {"kinds": [{"kind": "user_id"}]}


async def test_what_would_merge_is_told_before_and_happens_after_the_publication(config):
    async with open_site(config, profile()) as site:
        facts = [fact(f"{n}", f"user_id:u{n}", MAIL, at=T0 + n) for n in range(4)]
        await publish(config, facts, key="one")
        await settled(site)

        async def person(name: str) -> str:
            return (await site.http.get("/api/profiles", params={"identifier": name})).json()["id"]

        first = await person(MAIL)
        assert first == await person("user_id:u0")
        others = {await person(f"user_id:u{n}") for n in range(1, 4)}
        assert len(others - {first}) == 3

        async def rehearse(rules: dict) -> dict:
            return (await site.http.post("/api/identity/rules/rehearse", json=rules)).json()

        assert await rehearse({}) == {"contradictions": 3, "merges": 0, "by": {}, "sample": [], "complete": True}
        found = await rehearse(FREE)
        assert (found["merges"], found["by"]) == (3, {"email": 3})
        assert {pair["other"] for pair in found["sample"]} == others
        assert (await rehearse({"kinds": [{"kind": "user_id", "limit": 3}]}))["merges"] == 2, "those before count"
        assert (await rehearse({"kinds": [{"kind": "user_id"}, {"kind": "email", "refused": ["x@example.org"]}]}))["merges"] == 0
        problem_of(await site.http.post("/api/identity/rules/rehearse", json={"junk_after": "many"}), 422, "invalid")
        assert len({await person(f"user_id:u{n}") for n in range(4)}) == 4, "nothing was changed"

        await site.publish("identity", {"key": "rules", **FREE})
        await publish(config, [fact("again", "user_id:u1", MAIL, at=T0 + 9)], key="one")
        await settled(site)
        assert await person("user_id:u1") == first != await person("user_id:u2")


async def test_a_wrong_merge_is_rehearsed_and_taken_back(config):
    ann, bob = "user_id:ann", "email:bob@example.org"
    seen = [
        fact("1", ann, at=T0, type="identify", attributes={"city": "Omsk"}),
        fact("2", bob, at=T0 + 1, type="identify", attributes={"plan": "pro"}),
    ]
    await publish(config, [*seen, fact("3", ann, bob, at=T0 + 2)], key="one")
    async with open_site(config, profile()) as site:
        await settled(site)
        one = (await site.http.get("/api/profiles", params={"identifier": ann})).json()
        path, asked = f"/api/profiles/{one['id']}/unmerge", {"apart": ["email: BOB@example.org"], "reason": "a slip"}
        told = await site.http.post(path, json={**asked, "rehearse": True})
        assert told.status_code == 200
        assert told.json()["people"] == [
            {"identifiers": [ann], "attributes": ["city"]},
            {"identifiers": [bob], "attributes": ["plan"]},
        ]
        assert (await site.http.get(f"/api/profiles/{one['id']}")).json() == one, "nothing has changed"

        fault = problem_of(await site.http.post(path, json={**asked, "apart": [bob, "phone:+79160000001"]}), 422, "invalid")[
            "errors"
        ]
        assert [(one["path"], one["code"]) for one in fault] == [("apart.1", "not_his")]
        problem_of(await site.http.post(path, json={**asked, "apart": [ann, bob]}), 409, "nothing_to_part")
        problem_of(await site.http.post(f"/api/profiles/{uuid4()}/unmerge", json=asked), 404, "profile_not_found")
        problem_of(await site.http.post(path, json={"apart": [bob]}), 422, "invalid")

        done = await site.http.post(path, json=asked)
        assert done.status_code == 202 and done.json()["profile"] == one["id"]
        await settled(site)
        found = {name: (await site.http.get("/api/profiles", params={"identifier": name})).json() for name in (ann, bob)}
        assert found[ann]["id"] == one["id"] != found[bob]["id"]
        assert [(p["identifiers"], p["attributes"]) for p in found.values()] == [
            ([ann], {"city": "Omsk"}),
            ([bob], {"plan": "pro"}),
        ]
        assert one["merged"] == found[bob]["merged"], "who was told of by his former id is found by it"
        audit = (await site.http.get("/api/audit", params={"limit": 1})).json()["items"]
        assert [(a["action"], a["detail"]) for a in audit] == [("unmerge", {"act": done.json()["act"], "reason": "a slip"})]
