"""Rules of identity through the gateway: rehearsed, published, in force for the next fact."""

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
