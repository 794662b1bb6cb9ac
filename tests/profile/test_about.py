"""Facts that name their person by his profile id: those of our own services."""

import pytest

from runtime.settings import Settings
from services.profile.__main__ import service
from tests.profile.test_profile_live import handled, people
from tests.support.live import T0, fact, publish, read, running, settings


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


async def test_a_fact_is_the_persons_whom_it_names_through_every_merge_and_one_about_nobody_is_dropped(config):
    await publish(config, [fact("1", "telegram_id:7", at=T0), fact("2", "email:b@example.org", at=T0 + 1)])
    async with running(config, service()) as (context,):
        await handled(context, 2)
        whose = {next(iter(names)): person for person, names in (await people(context)).items()}
        player, reader = whose["telegram_id:7"], whose["email:b@example.org"]
        await publish(
            config,
            [
                fact("3", about=player, event="Survey Answered"),
                # What he says of himself links like anything else: the two are one, and the earlier one stays.
                fact("4", "email:b@example.org", about=player, type="identify", at=T0 + 2),
            ],
        )
        await handled(context, 4)
        assert await people(context) == {player: {"telegram_id:7", "email:b@example.org"}}
        await publish(
            config,
            [
                fact("5", about=reader, event="Survey Completed", at=T0 + 3),
                fact("6", about="00000000-0000-5000-8000-000000000000", event="Survey Completed"),
            ],
        )
        await handled(context, 6)
    told = {f["event"]: f for f in await read(config, "facts") if f.get("event")}
    assert told["Survey Answered"]["profile"] == player and not told["Survey Answered"].get("identifiers")
    surveys = [f for f in await read(config, "facts") if f.get("event") == "Survey Completed"]
    assert [f["profile"] for f in surveys] == [player]


async def test_a_new_name_goes_to_the_person_whom_the_fact_is_about(config):
    await publish(config, [fact("1", "telegram_id:7")])
    async with running(config, service()) as (context,):
        await handled(context, 1)
        (player,) = await people(context)
        await publish(config, [fact("2", "phone:+442079460958", about=player, type="identify")])
        await handled(context, 2)
        assert await people(context) == {player: {"telegram_id:7", "phone:+442079460958"}}
