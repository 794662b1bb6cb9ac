"""A device that many people use: facts of the second one link nothing, lock nothing, and let nothing grow."""

import pytest

from runtime.settings import Settings
from services.profile.__main__ import service
from services.profile.domain import DEFAULT, Registry, have_met
from services.profile.domain.registry import MOST_MET
from services.profile.handler.batch import _told
from services.profile.store import Known
from tests.profile.test_profile_live import handled
from tests.support.live import T0, fact, publish, rows, running, settings

DEVICE = "anonymous_id:till"


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


def test_what_was_told_with_a_device_stays_bounded():
    registry = Registry(DEFAULT, {}, {}, {})
    for n in range(3 * MOST_MET):
        registry.link(fact(str(n), f"user_id:u{n}", DEVICE, at=T0 + n))
    met = registry.names[DEVICE].met
    assert len(met) == MOST_MET and have_met(DEVICE, met, "anybody") and not have_met("email:x@e.org", met, "anybody")


def test_the_second_persons_facts_are_his_without_a_lock():
    known = {
        "user_id:b": Known("b", "hb", sources="site"),
        DEVICE: Known("a", "hd", frozenset(("hb",))),
        "email:x@e.org": Known("a", "hx", frozenset(("hb",))),
    }
    told = _told(None, fact("1", "user_id:b", DEVICE), known, None, DEFAULT)
    assert (told.settled, told.home, told.contested) == ("b", "hb", ())
    assert _told(None, fact("2", "user_id:b", "email:x@e.org"), known, None, DEFAULT).settled is None  # to be judged
    assert _told(None, fact("3", "user_id:b", DEVICE, type="alias"), known, None, DEFAULT).settled is None
    fresh = {**known, DEVICE: Known("a", "hd")}
    assert _told(None, fact("4", "user_id:b", DEVICE), fresh, None, DEFAULT).settled is None  # the pair is new


async def test_the_journal_has_each_pair_once(config):
    async with running(config, service()) as (context,):
        await publish(config, [fact(f"{n}", f"user_id:u{n % 3}", DEVICE, at=T0 + n) for n in range(12)], key="one")
        await handled(context, 12)
        found = await rows(context, "SELECT names FROM linking")
        assert sorted(row["names"][0] for row in found) == ["user_id:u0", "user_id:u1", "user_id:u2"]
