"""Marketing waits while a no may lie unheard in the log: the sender's copy is as old as the oldest of what it stands on."""

from runtime.clock import wall_ms
from tests.sender.live.kit import contact, intent, put, sender, states
from tests.support.live import running, until

SAID = """
INSERT INTO runtime.progress (service, instance, caught_up_at, reported_at, fresh_at) VALUES ('profile', $1, 0, $2, $3)
ON CONFLICT (service, instance) DO UPDATE SET reported_at = EXCLUDED.reported_at, fresh_at = EXCLUDED.fresh_at
"""


async def say(context, reported_ago: int, fresh_ago: int, instance: str = "one") -> None:
    async with context.db.transaction() as connection:
        now = wall_ms()
        await connection.execute(SAID, instance, now - reported_ago, now - fresh_ago)


async def test_marketing_waits_while_profile_is_silent_and_service_mail_goes(config, smtp):
    one, _ = sender(config, smtp)
    now = wall_ms()
    async with running(config, one) as (context,):
        await say(context, reported_ago=40_000, fresh_ago=40_000)
        await put(config, contact(1, at=now), [intent(1, "s1", "triggered", now), intent(1, "s2", "service", now)])

        async def service_mail_is_gone():
            return (await states(context)).get("accepted") == 1

        await until(service_mail_is_gone)
        assert (await states(context))["taken"] == 1
        await say(context, reported_ago=0, fresh_ago=1000)

        async def all_gone():
            return await states(context) == {"accepted": 2}

        await until(all_gone)


async def test_an_instance_that_is_gone_holds_nobody_up(config, smtp):
    """Its partitions have other owners, who speak for them."""
    one, _ = sender(config, smtp)
    now = wall_ms()
    async with running(config, one) as (context,):
        await say(context, reported_ago=90_000, fresh_ago=90_000, instance="gone")
        await say(context, reported_ago=0, fresh_ago=1000, instance="here")
        await put(config, contact(1, at=now), [intent(1, "s1", "triggered", now)])

        async def gone():
            return await states(context) == {"accepted": 1}

        await until(gone)
