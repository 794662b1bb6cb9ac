"""The ledger of consents: every word, its evidence, and a chain that shows what was changed or left out."""

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.settings import Settings
from schemas import consents, permission
from schemas.facts import Fact
from schemas.permission import Said
from services.profile.__main__ import service
from services.profile.domain import ledger
from tests.profile.test_profile_live import handled
from tests.support.live import T0, fact, publish, read, rows, running, settings

MAIL = "email:ann@example.org"


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


def word(name: str, event: str = "Consent Granted", *names: str, **more: object) -> Fact:
    return fact(name, *(names or (MAIL,)), event=event, **more)


def chain(count: int) -> list[ledger.Entry]:
    made, prev = [], ledger.GENESIS
    for number in range(1, count + 1):
        said = word(f"{number}", properties={"channel": "email", "topic": f"t{number}", "text_id": "offer"})
        made.append(ledger.entry(said, said.id, said.id, (3, number), prev, b"sealed %d" % number))
        prev = made[-1].hash
    return made


def faults(entries: list[ledger.Entry]) -> list[str]:
    found, prev, number = [], ledger.GENESIS, 0
    for one in entries:
        found.append(ledger.broken(one, prev, number + 1))
        number, prev = one.number, one.hash
    return [fault for fault in found if fault]


@given(
    st.integers(0, 4), st.sampled_from([name for name in ledger.Entry._fields if name not in ("sealed", "hash", "number", "prev")])
)
def test_whatever_is_changed_is_seen(place, field):
    entries = chain(5)
    assert faults(entries) == []
    old = getattr(entries[place], field)
    new = old + (b"x" if isinstance(old, bytes) else "x" if isinstance(old, str) else 1) if old is not None else 1
    entries[place] = entries[place]._replace(**{field: new})
    assert faults(entries) != []


SAYS = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from(["email", "sms", "*", "pigeon", ""]),
        "topic": st.sampled_from(["news", "*", "", 7]),
        "double_opt_in": st.booleans(),
        "requested_at": st.integers(-1, 9) | st.just("5"),
        "expires_at": st.integers(0, 9),
        "evidence": st.sampled_from([{}, {"form": "x"}]),
    },
)


@given(st.lists(st.tuples(st.sampled_from(sorted(consents.EVENTS)), SAYS, st.integers(0, 9), st.sampled_from(["live", "bulk"]))))
def test_what_the_ledger_holds_of_a_person_permits_what_his_words_do(said):
    facts = [word(f"{n}", event, at=at, lane=lane, properties=says) for n, (event, says, at, lane) in enumerate(said)]
    heard: dict[str, Said] = {}
    for key, one in map(permission.word, facts):
        if one != Said():
            heard[key] = permission.joined(heard.get(key, one), one)
    kept = [ledger.entry(one, "p", "p", (0, n), b"", b"") for n, one in enumerate(facts)]
    assert ledger.words(kept) == heard


def test_entries_of_before_there_were_homes_are_whole():
    (new,) = chain(1)
    old = new._replace(home=None, hash=b"")
    old = old._replace(hash=ledger.hash_of(old))
    assert faults([old]) == [] and faults([old._replace(home=new.home)]) == ["changed"]


def test_a_request_is_pending_until_its_confirmation_and_a_yes_may_end():
    asked = ledger.entry(word("1", properties={"channel": "email", "double_opt_in": True}), "p", "p", (3, 1), ledger.GENESIS, b"")
    assert (asked.action, asked.state, asked.expires_at) == ("requested", "pending", None)
    confirmed = word("2", "Consent Confirmed", properties={"channel": "email", "requested_at": T0, "expires_at": "1970-01-02"})
    made = ledger.entry(confirmed, "p", "p", (3, 2), asked.hash, b"")
    assert (made.action, made.state, made.expires_at) == ("confirmed_doi", "proven", 86_400_000)


def test_what_is_left_out_forged_or_moved_is_seen_and_what_is_erased_is_not():
    entries = chain(5)
    assert faults(entries[:2] + entries[3:]) == ["missing"]
    assert faults([entries[1], entries[0], *entries[2:]]) != []
    forged = entries[2]._replace(topic="all")
    assert faults([*entries[:2], forged._replace(hash=ledger.hash_of(forged)), *entries[3:]]) == ["changed"], "the next one tells"
    assert faults([*entries[:2], entries[2]._replace(sealed=b"other"), *entries[3:]]) == ["evidence"]
    assert faults([entries[0]._replace(sealed=None), *entries[1:]]) == []


async def test_words_stand_in_the_ledger_with_their_person_in_order_and_whatever_kills_the_service(config):
    said = {"channel": "email", "topic": "news", "text_id": "offer-3", "language": "ru", "evidence": {"form": "landing"}}
    facts = [
        word("1", properties=said, context={"ip": "10.0.0.1"}),
        fact("2", "user_id:a", MAIL),
        word("3", "Consent Withdrawn", "user_id:a", properties={"channel": "Fax"}, at=T0 + 1),
        fact("4", "user_id:b"),
    ]
    await publish(config, facts, key="one")
    async with running(config, service()) as (context,):
        await handled(context, 4)
    await publish(config, [word("5", "Email Marked as Spam", at=T0 + 2), facts[0]], key="one")
    async with running(config, service()) as (context,):
        await handled(context, 6)
        kept = await rows(context, "SELECT *, profile::text AS who FROM consent ORDER BY number")
        owner = (await rows(context, f"SELECT profile::text AS id FROM identifier WHERE key = '{MAIL}'"))[0]["id"]
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await rows(context, "UPDATE consent SET topic = 'all' RETURNING 1")
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await rows(context, "DELETE FROM consent RETURNING 1")
        assert len(await rows(context, "UPDATE consent SET sealed = NULL WHERE number = 1 RETURNING 1")) == 1, "erasure"
    assert [(r["number"], r["action"], r["channel"], r["topic"], r["state"]) for r in kept] == [
        (1, "granted", "email", "news", "proven"),
        (2, "withdrawn", "*", "*", "proven"),
        (3, "complaint", "email", "*", "proven"),
    ]
    assert {r["who"] for r in kept} == {owner}
    assert all(MAIL.partition(":")[2].encode() not in bytes(r["sealed"]) + bytes(r["terms"]) for r in kept)


async def test_a_nul_in_a_word_stops_nothing(config):
    said = {"channel": "email\x00", "topic": "a\x00", "purpose": "x\x00", "text_id": "\x00"}
    await publish(config, [word("1", properties=said), word("2", "Unsubscribed", properties=said)], key="one")
    async with running(config, service()) as (context,):
        await handled(context, 2)
        assert len(await rows(context, "SELECT FROM consent")) == 2 and not await rows(context, "SELECT FROM dead_letter")


async def test_a_yes_that_was_imported_without_evidence_is_unproven(config):
    plain = word("1", properties={"channel": "email"})
    shown = word("2", "Consent Granted", "user_id:b", properties={"channel": "email", "evidence": {"scan": "17.pdf"}})
    await publish(config, [plain, shown], topic="facts.raw.bulk", key="one")
    async with running(config, service()) as (context,):
        await handled(context, 2)
        kept = await rows(context, "SELECT state FROM consent ORDER BY number")
    assert [r["state"] for r in kept] == ["unproven", "proven"]


async def test_a_no_with_the_address_of_somebody_else_is_his_no_too(config):
    facts = [
        fact("1", "user_id:a", MAIL, at=T0),
        word("2", "Unsubscribed", "user_id:b", MAIL, at=T0 + 1, properties={"channel": "email"}),
        word("3", "Consent Granted", "user_id:b", MAIL, at=T0 + 2, properties={"channel": "email"}),
        word("4", "Unsubscribed", "user_id:b", MAIL, at=T0 + 3, properties={"channel": "email"}),
    ]
    await publish(config, facts, key="one")
    async with running(config, service()) as (context,):
        await handled(context, 4)
        kept = await rows(context, "SELECT action, profile::text AS who FROM consent ORDER BY number")
        a, b = [
            (await rows(context, f"SELECT profile::text AS id FROM identifier WHERE key = '{k}'"))[0]["id"]
            for k in (MAIL, "user_id:b")
        ]
    assert [(r["action"], r["who"]) for r in kept] == [
        ("withdrawn", b),
        ("withdrawn", a),
        ("granted", b),
        ("withdrawn", b),
        ("withdrawn", a),
    ]
    told = [f for f in await read(config, "facts") if f.get("event") == "Unsubscribed"]
    assert {(f["profile"], f.get("cause")) for f in told} == {(b, None), (a, facts[1].id), (a, facts[3].id)}
