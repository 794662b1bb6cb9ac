"""What stands in the lake is what the facts said: values, kinds, money, names; and nothing that is personal."""

import random
from itertools import pairwise

import pyarrow.parquet as parquet
import pytest

from schemas.facts import encode
from schemas.ids import derive
from schemas.memberships import Membership
from schemas.messages import Decision
from services.warehouse import handler as handler_module
from services.warehouse.__main__ import service
from services.warehouse.domain.names import MAX_COLUMNS
from services.warehouse.handler import Handler
from tests.support.live import T0, publish, rows, running
from tests.warehouse.conftest import on_disk, passed, stored

DAY = 86_400_000
WEIRD = [
    "a/b/../c",
    "Заказ оформлен",
    "",
    ".",
    "..",
    "x" * 200,
    "a\x00b",
    "'; DROP TABLE x; --",
    'qu"ote',
    "Emoji 🛒",
    "%2F",
    "A",
    "a",
    "é" * 300,
]


async def test_sums_are_exact_in_every_layout(config, lake, monkeypatch):
    dice = random.Random(5)
    amounts = [dice.randrange(-(2**62) // 500, 2**62 // 500) for _ in range(400)]
    facts = [
        stored(
            n,
            n % 11,
            T0 + (n % 3) * DAY,
            event="Order Completed",
            properties={"total": {"minor": minor, "currency": ("GBP", "RUB")[n % 2]}},
        )
        for n, minor in enumerate(amounts)
    ]
    totals = "SELECT p_s_total__currency, sum(p_i_total__minor)::VARCHAR FROM facts GROUP BY 1 ORDER BY 1"
    expected = [(c, str(sum(a for n, a in enumerate(amounts) if n % 2 == i))) for i, c in enumerate(("GBP", "RUB"))]
    monkeypatch.setattr(handler_module, "FAN", 4)
    monkeypatch.setattr(handler_module, "OWN", 50)
    config = config.model_copy(update={"batch_rows": 50})
    await publish(config, facts, "facts.bulk", key="k")
    async with running(config, service(pace_s=0)) as (context,):
        await passed(context, 400)
        keeper = Handler(0)
        async with keeper.life(context):
            await keeper.compact()
        snapshot = await lake(context)
        assert await snapshot.query(totals) == expected
        own = [f for f in snapshot.files if f.event]
        assert {(f.event, f.day.isoformat()) for f in own} == {("Order Completed", f"2010-11-{day}") for day in (17, 18, 19)}
        assert all(f.file.startswith("facts/event=Order%20Completed/day=") for f in own)
        one = snapshot.table("facts", "Order Completed", since=T0 + DAY, until=T0 + DAY)
        assert await snapshot.query(f"SELECT count(*) FROM {one} WHERE epoch_ms(occurred_at) = ?", [T0 + DAY]) == [(133,)]
        assert snapshot.columns("Order Completed", "properties", "total.minor") == {"int": "p_i_total__minor"}


async def test_no_personal_data_enters_the_lake(config, lake):
    secrets = ["ann@example.org", "+79990001122", "Ivanova", "203.0.113.9", "ann-user-77"]
    who = {"email": secrets[0], "phone": secrets[1], "lastName": secrets[2], "plan": "gold"}
    told = {name: [T0, value] for name, value in who.items()}
    base = {"profile": derive("profile", "ann")}
    ids = ("user_id:ann-user-77", "email:ann@example.org", "phone:+79990001122")
    context = {"ip": secrets[3], "externalIds": [{"id": secrets[4], "type": "user_id"}], "traits": who, "locale": "ru"}
    facts = [
        stored("1", type="identify", event="", attributes=who, context=context),
        stored("2", type="profile.changed", event="", attributes=told),
        stored("3", type="profile.merged", event="", attributes=told, properties={"winner": "a", "loser": "b"}),
        stored(
            "4",
            event="Form Sent",
            properties={"answers": [who], "nested": {"deep": who}, "login": "Ann@Example.org", "user_id": secrets[4]},
        ),
    ]
    facts = [type(f)(**{**{k: getattr(f, k) for k in f.__struct_fields__}, **base, "identifiers": ids}) for f in facts]
    verdict = Decision(
        id=derive("d"),
        brand="shop",
        profile=base["profile"],
        verdict="skipped",
        by="sender",
        received_at=T0,
        detail={"email": secrets[0], "code": 7},
    )
    await publish(config, facts, "facts", key="k")
    await publish(config, [encode(verdict)], "decisions", key="k")
    async with running(config, service(pace_s=0)) as (context_,):
        await passed(context_, 5)
        snapshot = await lake(context_)
        assert await snapshot.query("SELECT a_s_plan FROM facts WHERE a_s_plan IS NOT NULL") == [("gold",), ("gold",)]
        assert await snapshot.query("SELECT c_s_locale FROM facts WHERE type = 'identify'") == [("ru",)]
        assert await snapshot.query("SELECT rest.properties.answers[1].plan::VARCHAR FROM facts WHERE event = 'Form Sent'") == [
            ("gold",)
        ]
        assert await snapshot.query("SELECT detail::JSON::VARCHAR FROM decisions") == [('{"code":7}',)]
    files = on_disk(config)
    assert files
    for file in files:
        path = config.home / "lake" / file
        # Pages are compressed, so both: the bytes as they lie there (footers hold names and extremes) and every value.
        everything = path.read_bytes() + repr(parquet.ParquetFile(path).read().to_pylist()).encode()
        for secret in secrets:
            assert secret.encode() not in everything, (secret, file)
            assert secret.title().encode() not in everything


async def test_a_value_of_another_type_is_kept_aside_and_counted(config, lake):
    values = [5, "five", 5.5, True, None, "5", 2**70]
    facts = [stored(n, event="E", properties={"v": value}) for n, value in enumerate(values)]
    await publish(config, facts, "facts", key="k")
    async with running(config, service(pace_s=0)) as (context,):
        await passed(context, len(values))
        await publish(
            config,
            [stored("more", event="E", properties={"v": "six"}), stored("else", event="F", properties={"v": "own"})],
            "facts",
            key="k",
        )
        await passed(context, len(values) + 2)
        snapshot = await lake(context)
        columns = snapshot.columns("E", "properties", "v")
        asides = dict(await rows(context, "SELECT kind, asides::int FROM property WHERE event = 'E' AND path = 'v'"))
        named = ", ".join(columns[kind] for kind in ("int", "string", "float", "bool", "null", "big"))
        found = await snapshot.query(f"SELECT {named} FROM facts WHERE event = 'E' ORDER BY kafka_offset")
    assert next(iter(columns)) == "int"  # registered: seen first
    assert asides == {"int": 0, "string": 3, "float": 0, "bool": 1, "null": 0, "big": 0}
    assert found == [
        (5, None, None, None, None, None),
        (None, "five", None, None, None, None),
        (None, None, 5.5, None, None, None),
        (None, None, None, True, None, None),
        (None, None, None, None, True, None),
        (None, "5", None, None, None, None),
        (None, None, None, None, None, str(2**70)),
        (None, "six", None, None, None, None),
    ]


@pytest.mark.parametrize("own", [1, 10_000], ids=["files of their own", "mixed"])
async def test_weird_names_are_safe_everywhere(config, lake, monkeypatch, own):
    monkeypatch.setattr(handler_module, "FAN", 2)
    monkeypatch.setattr(handler_module, "OWN", own)
    keys = ["", "a.b", 'quo"te', "Имя поля", "UPPER", "upper", "x" * 300, "n\x00l", "a\\b", "'", "id", "offset", "select"]
    facts = [stored(f"{n}{part}", event=name, properties=dict.fromkeys(keys, n)) for part in "ab" for n, name in enumerate(WEIRD)]
    half = len(WEIRD)
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, facts[:half], "facts", key="k")
        await passed(context, half)
        await publish(config, facts[half:], "facts", key="k")
        await passed(context, 2 * half)
        keeper = Handler(0)
        async with keeper.life(context):
            await keeper.compact()
        snapshot = await lake(context)
        found = await snapshot.query("SELECT event, count(*) FROM facts GROUP BY 1")
        sums = []
        for key in keys:
            path = key.replace("\\", "\\\\").replace(".", "\\.")
            held = snapshot.columns("A", "properties", path)
            if held:
                sums.append(await snapshot.query(f"SELECT {held['int']} FROM facts WHERE event = 'A' LIMIT 1"))
        rest = await snapshot.query("SELECT rest::JSON::VARCHAR FROM facts WHERE event = 'A' LIMIT 1")
        assert await rows(context, "SELECT * FROM dead_letter") == []
    assert dict(found) == dict.fromkeys(WEIRD, 2)
    number = WEIRD.index("A")
    assert sums == [[(number,)]] * (len(keys) - 2)
    assert f'"{"x" * 300}":{number}' in rest[0][0] and '"n\\u0000l"' in rest[0][0]
    root = (config.home / "lake").resolve()
    paths = [path.resolve() for path in root.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(root) for path in paths)
    folders = {path.parent.parent.name for path in paths if path.parent.name.startswith("day=")}
    assert bool(folders) is (own == 1)


async def test_an_event_with_too_many_names_keeps_the_overflow_in_the_rest(config, lake):
    wide = {f"k{n}": n for n in range(MAX_COLUMNS + 50)}
    await publish(config, [stored(n, event="Wide", properties=wide) for n in range(3)], "facts", key="k")
    async with running(config, service(pace_s=0)) as (context,):
        await passed(context, 3)
        snapshot = await lake(context)
        columns = [c for n in range(MAX_COLUMNS + 50) for c in snapshot.columns("Wide", "properties", f"k{n}").values()]
        (row,) = await snapshot.query(f"SELECT {', '.join(columns)} FROM facts WHERE kafka_offset = 2")
        rest = await snapshot.query("SELECT rest.properties.k249::INT, rest.properties.k200::INT FROM facts")
    assert row == tuple(range(MAX_COLUMNS)) and rest == [(249, 200)] * 3


async def test_memberships_without_marks_and_decisions(config, lake):
    person = derive("profile", "1")
    changes = [
        Membership(
            type="entered",
            received_at=T0 + 5,
            id=derive("m", "1"),
            profile=person,
            segment="vip",
            version=2,
            at=T0,
            why="time",
            cause="c",
        ),
        Membership(type="mark", received_at=T0, topic="facts", partition=0, offset=9),
        Membership(type="left", received_at=T0 + 9, id=derive("m", "2"), profile=person, segment="vip", version=2, at=T0 + 9),
    ]
    verdict = Decision(
        id=derive("d"),
        brand="shop",
        profile=person,
        verdict="deferred",
        by="orchestrator",
        received_at=T0,
        until=T0 + DAY,
        rule="quiet_hours",
    )
    await publish(config, map(encode, changes), "memberships", key="k")
    await publish(config, [encode(verdict)], "decisions", key="k")
    async with running(config, service(pace_s=0)) as (context,):
        await passed(context, 4)
        snapshot = await lake(context)
        kept = await snapshot.query(
            "SELECT type, segment, version, why, cause, epoch_ms(occurred_at), epoch_ms(received_at), kafka_offset, profile::VARCHAR FROM memberships ORDER BY 8"
        )
        told = await snapshot.query(
            "SELECT verdict, decided_by, rule, epoch_ms(until_at), epoch_ms(occurred_at), detail FROM decisions"
        )
        assert await snapshot.query("SELECT count(*) FROM facts") == [(0,)]
    assert kept == [
        ("entered", "vip", 2, "time", "c", T0, T0 + 5, 0, person),
        ("left", "vip", 2, "fact", None, T0 + 9, T0 + 9, 2, person),
    ]
    assert told == [("deferred", "orchestrator", "quiet_hours", T0 + DAY, T0, None)]


async def test_days_are_utc_days_of_what_happened(config, lake, monkeypatch):
    monkeypatch.setattr(handler_module, "FAN", 2)
    monkeypatch.setattr(handler_module, "OWN", 1)
    midnight = T0 // DAY * DAY + DAY
    async with running(config, service(pace_s=0)) as (context,):
        for n, at in enumerate((midnight - 1, midnight)):
            await publish(config, [stored(n, at=at)], "facts", key="k")
            await passed(context, n + 1)
        keeper = Handler(0)
        async with keeper.life(context):
            await keeper.compact()
        snapshot = await lake(context)
    days = sorted((f.day, f.first_at, f.last_at) for f in snapshot.files)
    assert [(a, b) for _, a, b in days] == [(midnight - 1, midnight - 1), (midnight, midnight)]
    assert all((later[0] - earlier[0]).days == 1 for earlier, later in pairwise(days))
