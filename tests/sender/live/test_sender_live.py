"""The sender on real Kafka, PostgreSQL and SMTP: one call per intent, permission last, honest about doubt."""

import re
from collections import Counter

import httpx

from runtime.clock import wall_ms
from schemas.ids import derive
from tests.sender.live.kit import contact, intent, person, publish, put, sender, states
from tests.support.live import T0, driven, read, rows, running, until


async def test_each_intent_is_sent_once_with_its_message_id_and_told(config, smtp):
    one, _ = sender(config, smtp)
    facts = [f for n in range(30) for f in contact(n)]
    intents = [intent(n) for n in range(30)]
    await put(config, facts, [*intents, *intents])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        assert await states(context) == {"accepted": 30}
    accepted = Counter(m["message_id"] for m in smtp.record.accepted)
    assert accepted == Counter(f"{i.id}@shop.example" for i in intents)
    told = [d for d in await read(config, "decisions") if d["by"] == "sender"]
    assert Counter(d["intent"] for d in told if d["verdict"] == "accepted") == Counter(i.id for i in intents)
    assert sum(f["event"] == "Email Sent" for f in await read(config, "facts.bulk")) == 30


async def test_no_consent_no_address_and_late_are_told_with_their_rule(config, smtp):
    one, _ = sender(config, smtp)
    silent = contact(1)[:1]
    await put(
        config, [*silent, *contact(2)], [intent(1), intent(2, not_after=T0 - 5), intent(3), intent(1, step="s2", cls="service")]
    )
    async with driven(config, one) as (_, conductor):
        await conductor.settle()
    told = {(d["profile"], d["step"]): (d["verdict"], d.get("rule", "")) for d in await read(config, "decisions")}
    assert told == {
        (person(1), "s1"): ("skipped", "consent"),
        (person(2), "s1"): ("late", "not_after"),
        (person(3), "s1"): ("skipped", "no_address"),
        (person(1), "s2"): ("accepted", ""),
    }


async def test_the_same_message_to_one_address_of_two_profiles_goes_once(config, smtp):
    one, _ = sender(config, smtp)
    facts = [*contact(1, "same@example.org"), *contact(2, "same@example.org")]
    launch = derive("launch")
    await put(config, facts, [intent(1, occurrence=launch), intent(2, occurrence=launch)])
    async with driven(config, one) as (_, conductor):
        await conductor.settle()
    assert len(smtp.record.accepted) == 1
    assert Counter(d.get("rule", "") for d in await read(config, "decisions")) == {"": 1, "same_address": 1}


async def test_a_late_intent_comes_back_under_its_key_and_is_sent(config, smtp):
    one, _ = sender(config, smtp)
    await put(config, contact(1), [intent(1, not_after=T0 - 5)])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        assert await states(context) == {"late": 1}
        await put(config, [], [intent(1, attempt=1)], documents=False)
        await conductor.settle()
        assert await states(context) == {"accepted": 1}
    assert len(smtp.record.accepted) == 1


async def test_what_a_killed_process_had_started_is_called_again_for_service_mail_only(config, smtp):
    one, _ = sender(config, smtp)
    await put(config, [*contact(1), *contact(2)], [intent(1, cls="service"), intent(2)])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        async with context.db.transaction() as connection:  # as a process that is gone leaves it
            await connection.execute("UPDATE attempt SET state = 'started', owner = 7, finished_at = NULL")

        async def settled():
            return await states(context) == {"accepted": 1, "in_doubt": 1}

        await until(settled)
        (doubt,) = await rows(context, "SELECT message_class FROM attempt WHERE state = 'in_doubt'")
    assert doubt["message_class"] == "triggered"
    assert Counter(m["message_id"] for m in smtp.record.accepted)[f"{intent(1, cls='service').id}@shop.example"] == 2


async def test_refusals_suppress_the_address_and_a_drop_after_data_is_in_doubt(config, smtp):
    one, _ = sender(config, smtp)
    facts = [*contact(1, "bounce550-a@example.org"), *contact(2, "drop-b@example.org")]
    await put(config, facts, [intent(1), intent(2), intent(1, step="s2")])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        found = {
            r["step"]: r["state"]
            for r in await rows(
                context,
                "SELECT convert_from(intent, 'UTF8')::json->>'step' AS step, state FROM attempt WHERE profile = $1",
                person(1),
            )
        }
        doubt = await rows(context, "SELECT state FROM attempt WHERE profile = $1", person(2))
    assert found["s1"] == "failed"
    assert found["s2"] in ("failed", "skipped")
    assert [r["state"] for r in doubt] == ["in_doubt"]
    bounced = [fact for fact in await read(config, "facts.bulk") if fact["event"] == "Email Bounced"]
    assert {(fact["profile"], fact["properties"]["type"]) for fact in bounced} == {(person(1), "hard")}
    assert not any("bounce550" in str(fact) for fact in bounced), "no address where none is needed"


async def test_a_bad_address_of_a_manager_is_remembered_for_all_whom_he_has_and_is_nobody_elses(config, smtp):
    one, _ = sender(config, smtp)
    to = {"template": "hello", "to": {"address": "bounce550-m@shop.example"}}
    await publish(config, ("journey", {"key": "welcome", "steps": [{"id": "lead", "hand": to}]}))
    first, second = (intent(n, step="lead", cls="service", to="manager") for n in (1, 2))
    await put(config, [*contact(1), *contact(2)], [first])
    async with driven(config, one) as (_, conductor):
        await conductor.settle()
        await put(config, [], [second, intent(1, step="s2")], documents=False)
        await conductor.settle()
    told = {d["intent"]: (d["verdict"], d.get("rule", "")) for d in await read(config, "decisions")}
    assert told[first.id] == ("failed", "provider:permanent_address")
    assert told[second.id] == ("skipped", "suppressed:permanent_address")
    assert told[intent(1, step="s2").id] == ("accepted", ""), "the person's own address is not the manager's"
    assert not [fact for fact in await read(config, "facts.bulk") if fact["event"] == "Email Bounced"]


async def test_an_unsubscribe_by_link_is_in_force_at_once_and_a_click_comes_back_as_a_fact(config, smtp):
    one, settings = sender(config, smtp)
    now = wall_ms()
    await put(config, contact(1, at=now), [intent(1, at=now)])
    async with running(config, one):
        await until(lambda: len(smtp.record.accepted) == 1)
        letter = smtp.record.accepted[0]["data"]
        headers = letter.partition("\r\n\r\n")[0]
        link = re.search(r"List-Unsubscribe: <[^>]*(/u/[^>]+)>", headers)[1]
        assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in headers
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.public_port}") as client:
            assert (await client.get(link)).status_code == 200  # shows, does nothing
            await put(config, [], [intent(1, step="s2", at=now)], documents=False)
            await until(lambda: len(smtp.record.accepted) == 2)
            answer = await client.post(link, content="List-Unsubscribe=One-Click")
            assert answer.status_code == 200
            await put(config, [], [intent(1, step="s3", at=now)], documents=False)

            async def skipped():
                return [d for d in await read(config, "decisions") if d["step"] == "s3"]

            told = await until(skipped)
    assert [(d["verdict"], d.get("rule", "")) for d in told] == [("skipped", "consent")]
    raw = await read(config, "facts.raw")
    assert [(f["event"], f["about"], f.get("identifiers")) for f in raw] == [("Email Unsubscribed", person(1), None)]
