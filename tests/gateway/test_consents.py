"""Proof of consent for a person, in one call."""

from services.profile.__main__ import service as profile
from tests.gateway.conftest import open_site, problem_of
from tests.gateway.test_people import settled
from tests.support.live import T0, fact, publish

MAIL, USER = "email:ann@example.org", "user_id:a"


async def test_every_word_of_all_that_a_person_was_comes_with_its_proof(config):
    async with open_site(config, profile()) as site:
        said = {"channel": "email", "topic": "news", "text_id": "offer-3", "evidence": {"form": "landing"}}
        yes = fact("1", MAIL, event="Consent Granted", properties=said, context={"ip": "10.0.0.1"}, at=T0)
        no = fact("2", USER, event="Unsubscribed", properties={"channel": "email", "topic": "news"}, at=T0 + 1)
        await publish(config, [yes, no], key="one")
        await publish(config, [fact("3", MAIL, USER, at=T0 + 2)], key="one")
        await settled(site)
        person = (await site.http.get("/api/profiles", params={"identifier": USER})).json()["id"]
        words = (await site.http.get(f"/api/profiles/{person}/consents")).json()["items"]
        assert [(w["action"], w["channel"], w["topic"], w["fact"]) for w in words] == [
            ("withdrawn", "email", "news", no.id),
            ("granted", "email", "news", yes.id),
        ]
        first = (await site.http.get(f"/api/profiles/{person}/consents", params={"limit": 1})).json()
        then = (await site.http.get(f"/api/profiles/{person}/consents", params={"limit": 1, "next": first["next"]})).json()
        assert (first["items"], then) == (words[:1], {"items": words[1:], "next": None})
        for wrong in ("x", "1.2", "-1.0.0", f"{2**70}.0.0"):
            problem_of(await site.http.get(f"/api/profiles/{person}/consents", params={"next": wrong}), 422, "invalid")
        granted = words[1]
        assert granted["terms"] == {"text_id": "offer-3"} and granted["state"] == "proven"
        assert granted["proof"] == {"context": {"ip": "10.0.0.1"}, "evidence": {"form": "landing"}, "identifiers": [MAIL]}
        assert words[0]["chain"]["prev"] == granted["chain"]["hash"], "one chain"
        whole = (await site.http.get("/api/consents/verify")).json()
        assert (whole["entries"], whole["broken"]) == (2, [])
        async with site.neighbours[0].db.transaction() as connection:
            await connection.execute("ALTER TABLE profile.consent DISABLE TRIGGER ALL")
            await connection.execute("DELETE FROM profile.consent WHERE number = 2")
        cut = (await site.http.get("/api/consents/verify")).json()
        assert [fault["what"] for fault in cut["broken"]] == ["missing"], "its end was cut"
        problem_of(await site.http.get("/api/profiles/nobody/consents"), 404, "profile_not_found")
