"""What BI tools see of people follows them: attributes, merges and erasures, and nothing that PostgreSQL cannot hold stops it."""

import pytest

from runtime.settings import Settings
from services.profile.__main__ import service
from services.profile.handler import shown
from tests.profile.test_profile_live import handled
from tests.support.live import T0, fact, publish, rows, running, until

VIEW = "SELECT profile::text, attributes::text FROM bi.profiles ORDER BY attributes::text"
ANN, USER = "email:ann@x.example", "user_id:a"


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    from tests.support.live import settings

    return settings(kafka, database, topic_prefix)


def says(message: str, *identifiers: str, at: int = T0, **attributes):
    return fact(message, *identifiers, at=at, type="identify", event="", attributes=attributes)


async def test_the_views_follow_what_is_said_merged_and_erased(config, monkeypatch):
    monkeypatch.setattr(shown, "EVERY_S", 0.02)
    async with running(config, service()) as (context,):

        async def see(*expected: str) -> bool:
            return [row["attributes"] for row in await rows(context, VIEW)] == sorted(expected)

        await publish(config, [says("1", ANN, city="O\x00msk", spent={"minor": 5}), says("2", USER, plan="gold")], key="k")
        await until(lambda: see('{"city": "Omsk", "spent": {"minor": 5}}', '{"plan": "gold"}'))
        await publish(config, [says("3", ANN, USER, at=T0 + 1, city="Kazan")], key="k")
        await until(lambda: see('{"city": "Kazan", "plan": "gold", "spent": {"minor": 5}}'))
        assert len(await rows(context, "SELECT FROM shown")) == 1
        names = await rows(context, "SELECT DISTINCT profile::text FROM bi.identifiers")
        (person,) = [row["profile"] for row in names]
        assert person == (await rows(context, VIEW))[0]["profile"]
        await publish(config, [fact("4", about=person, type="erase", event="", properties={"reason": "asked"}, at=T0 + 9)], key="k")
        await handled(context, 4)
        assert await rows(context, VIEW) == await rows(context, "SELECT FROM shown") == []
        assert await rows(context, "SELECT FROM bi.identifiers") == []
        await until(lambda: _none(context))


async def _none(context) -> bool:
    return not await rows(context, "SELECT FROM changed") and not await rows(context, "SELECT FROM shown")
