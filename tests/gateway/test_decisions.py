"""Why somebody got a letter or did not: every verdict about a person, through the gateway."""

from schemas.facts import encode
from schemas.ids import derive
from schemas.messages import Decision
from services.profile.__main__ import service as profile
from services.warehouse.__main__ import service as warehouse
from tests.gateway.conftest import open_site, problem_of
from tests.gateway.test_people import settled
from tests.support.live import T0, fact, publish

ANN, PHONE = "email:ann@example.org", "phone:+79161234567"


def told(number: int, person: str, at: int, verdict: str = "skipped", **more) -> Decision:
    return Decision(
        id=derive("verdict", str(number)), brand="shop", profile=person, verdict=verdict, by="orchestrator", received_at=at,
        document="journey:welcome", version=3, step=f"letter{number}", **more,
    )  # fmt: skip


async def tell(config, *decisions: Decision) -> None:
    for decision in decisions:
        await publish(config, [encode(decision)], "decisions", key=decision.profile)


async def test_all_verdicts_of_all_that_a_person_was_come_newest_first_page_by_page(config):
    async with open_site(config, profile(), warehouse(pace_s=0)) as site:
        await publish(config, [fact("1", ANN, at=T0), fact("2", PHONE, at=T0 + 1), fact("3", "user_id:else", at=T0)])
        await settled(site)
        ann, phone, other = [
            (await site.http.get("/api/profiles", params={"identifier": name})).json()["id"]
            for name in (ANN, PHONE, "user_id:else")
        ]
        reasons = {"rule": "quiet_hours", "channel": "email", "message_class": "triggered", "detail": {"until": "9:00"}}
        await tell(config, told(1, ann, T0 + 10, **reasons), told(2, other, T0 + 11), told(3, phone, T0 + 12, "sent", intent="i"))
        await publish(config, [fact("4", ANN, PHONE, at=T0 + 13)])  # now they are one
        await settled(site)
        await tell(config, told(4, ann, T0 + 14, until=T0 + 99), told(5, phone, T0 + 14))
        await settled(site)

        async def page(person: str, **params):
            return (await site.http.get(f"/api/profiles/{person}/decisions", params=params)).json()

        whole = await page(ann)
        steps = [one["step"] for one in whole["items"]]
        assert sorted(steps[:2]) == ["letter4", "letter5"] and steps[2:] == ["letter3", "letter1"] and whole["next"] is None
        assert whole["items"][3] == {
            "id": derive("verdict", "1"), "profile": ann, "brand": "shop", "verdict": "skipped", "by": "orchestrator", "at": T0 + 10,
            "document": "journey:welcome", "version": 3, "step": "letter1", "attempt": 0, **reasons,
        }  # fmt: skip
        assert {one["step"]: one.get("until") for one in whole["items"]}["letter4"] == T0 + 99
        assert await page(phone) == whole, "by the id of somebody merged away"
        pages, cursor = [], ""
        while cursor is not None:
            found = await page(ann, limit=1, next=cursor)
            pages += found["items"]
            cursor = found["next"]
        assert pages == whole["items"]
        problem_of(await site.http.get(f"/api/profiles/{derive('nobody')}/decisions"), 404, "profile_not_found")
        for junk in ("x", "1.2", "-1.0.0", f"{10**20}.0.0"):
            problem_of(await site.http.get(f"/api/profiles/{ann}/decisions", params={"next": junk}), 422, "invalid")
