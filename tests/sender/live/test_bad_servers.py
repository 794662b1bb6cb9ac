"""SMTP servers that hang, refuse and drop, seen from the ledger: what is repeated, what is in doubt, and that nobody else loses by it."""

from collections import Counter

from runtime.drive import set_clock
from runtime.settings import Settings
from services.sender.__main__ import service
from services.sender.channels.fakes.smtp import SmtpFake
from services.sender.settings import SenderSettings
from tests.conftest import free_ports
from tests.sender.live.kit import contact, intent, person, put
from tests.support.live import T0, driven, read, rows

SECOND, GOOD = 1000, range(10, 30)


def sender(config: Settings, port: int):
    settings = SenderSettings(smtp_port=port, public_port=free_ports(1)[0], smtp_connections=4, smtp_accept_s=0.5)
    return service(settings, config)


async def fate(context) -> dict[str, str]:
    return {row["who"]: row["state"] for row in await rows(context, "SELECT profile::text AS who, state FROM attempt")}


async def sends(config: Settings, names: dict[int, str]) -> None:
    people = names | {n: f"good-{n}" for n in GOOD}
    await put(
        config, [fact for n, name in people.items() for fact in contact(n, f"{name}@example.org")], [intent(n) for n in people]
    )


async def test_a_server_that_hangs_or_drops_after_the_letter_leaves_it_in_doubt_and_before_it_is_asked_again(config, smtp):
    await sends(config, {1: "hangdot-a", 2: "drop-b", 3: "dropdata-c", 4: "slow421-d"})
    async with driven(config, sender(config, smtp.port)) as ((context,), conductor):
        for seconds in (0, 2, 10, 60):
            await set_clock(context.db, T0 + seconds * SECOND)
            await conductor.settle()
        found = await fate(context)
    accepted = Counter(entry["to"][0] for entry in smtp.record.accepted)
    assert {found[person(n)] for n in GOOD} == {"accepted"}
    assert all(accepted[f"good-{n}@example.org"] == 1 for n in GOOD)
    assert [found[person(n)] for n in (1, 2)] == ["in_doubt", "in_doubt"]
    assert accepted["drop-b@example.org"] == 1, "it was there, and nobody told: it is not sent again"
    assert found[person(3)] == "taken", "nothing was handed over: it is tried again"
    assert (found[person(4)], accepted["slow421-d@example.org"]) == ("accepted", 1)


async def test_a_channel_that_must_pause_is_at_rest_until_then(config, smtp):
    """Else a driven clock, which does not go on by itself, would wait for ever for what waits."""
    await sends(config, {1: "policy554-a"})
    async with driven(config, sender(config, smtp.port)) as ((context,), conductor):
        await conductor.settle()
        early = await fate(context)
        await set_clock(context.db, T0 + 1500)
        await conductor.settle()
        late = await fate(context)
    assert "taken" in early.values()
    assert {late[person(n)] for n in GOOD} == {"accepted"}


async def test_a_server_that_is_away_costs_time_alone(config):
    smtp = SmtpFake()
    (port,) = free_ports(1)
    await sends(config, {})
    async with driven(config, sender(config, port)) as ((context,), conductor):
        await conductor.settle()
        assert set((await fate(context)).values()) == {"taken"}
        await smtp.start(port)
        for seconds in (2, 10, 60):
            await set_clock(context.db, T0 + seconds * SECOND)
            await conductor.settle()
        assert {(await fate(context))[person(n)] for n in GOOD} == {"accepted"}
    assert len(smtp.record.accepted) == len(GOOD)
    told = [d for d in await read(config, "decisions") if d["by"] == "sender"]
    assert Counter(d["verdict"] for d in told) == {"accepted": len(GOOD)}
    await smtp.stop()
