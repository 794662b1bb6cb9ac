"""What is kept in the lake for some days only is gone after them, to the row; everything else stays."""

import pytest

from runtime.clock import wall_ms
from schemas.facts import encode
from services.warehouse import handler as handler_module
from services.warehouse.__main__ import service
from services.warehouse.handler import Handler
from services.warehouse.settings import DAY_MS, LakeSettings
from tests.support.live import publish, running
from tests.warehouse.conftest import on_disk, passed, stored
from tests.warehouse.test_erased import ann, entered


def midnight(days_ago: int) -> int:
    now = wall_ms()
    return now - now % DAY_MS - days_ago * DAY_MS


@pytest.mark.parametrize("own", [True, False], ids=["files of a day", "mixed files"])
async def test_rows_of_before_are_gone_and_all_others_stay(config, lake, monkeypatch, own):
    monkeypatch.setattr(handler_module, "OWN", 2 if own else 10_000)
    monkeypatch.setattr(handler_module, "FAN", 2)
    ages = {"old": midnight(30) - 1, "edge": midnight(30), "new": midnight(3)}
    async with running(config, service(pace_s=0)) as (context,):
        for part in range(4):
            facts = [stored(f"{name}{part}", "zoe", at=at, event="Seen") for name, at in ages.items()]
            await publish(config, facts, "facts", key="k")
            await passed(context, 3 * (part + 1))
        await publish(config, [encode(entered(ann))], "memberships", key="k")
        await passed(context, 13)
        keeper = Handler(0, LakeSettings(grace_s=0, facts_days=30))
        async with keeper.life(context):
            await keeper.compact()
            await keeper.expire()
            before = on_disk(config)
            await keeper.expire()
            assert on_disk(config) == before, "once is enough"
            await keeper.sweep()
        snapshot = await lake(context)
        found = await snapshot.query("SELECT epoch_ms(occurred_at), count(*) FROM facts GROUP BY ALL ORDER BY 1")
        assert found == [(ages["edge"], 4), (ages["new"], 4)]
        assert await snapshot.query("SELECT count(*) FROM memberships") == [(1,)], "for ever, where nothing is said"


async def test_nothing_is_let_go_where_nothing_is_said(config, lake):
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, [stored(1, "zoe")], "facts", key="k")
        await passed(context, 1)
        keeper = Handler(0, LakeSettings())
        async with keeper.life(context):
            await keeper.expire()
        assert await (await lake(context)).query("SELECT count(*) FROM facts") == [(1,)]
