"""What DuckDB counts in the lake's files is what live counts fact by fact, whatever the properties are like."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.lake import LakeFile, Snapshot, column, connect
from schemas import audience as a
from schemas.facts import Fact, encode
from schemas.ids import derive
from services.segmenter.domain import parting
from services.segmenter.domain.live import folded
from services.segmenter.domain.plan import Plan, compile_plan
from services.segmenter.gathered import Cut, Found, gather
from services.warehouse.domain import sheets
from services.warehouse.files import Files
from services.warehouse.handler import _decode_fact
from tests.segmenter.unit.test_live_law import LONG, happenings_of, law

PEOPLE = [derive("person", n) for n in range(3)]
PLACES = [("facts", 0), ("facts", 1), ("facts.bulk", 0)]
NOW = 40

scalars = st.sampled_from([0, 1, 2, 1.0, 1.5, True, False, "1", "p", "q", None, 2**70, "1970-01-01"])
values = scalars | st.sampled_from(
    [[], ["p"], [1, "q"], {}, {"y": "p"}, {"y": ["p"]}, {"y": {"z": {"w": {"deep": 1}}}}, {"d.t": 1}]
)
properties = st.dictionaries(st.sampled_from(["n", "x", "d.t", "lines", "machine"]), values, max_size=3)
told = st.fixed_dictionaries(
    {
        "who": st.sampled_from(PEOPLE),
        "event": st.sampled_from(["did", "did", "page", "it's", "Email Opened"]),
        "occurred": st.integers(-2, NOW),
        "received": st.integers(0, NOW),
        "properties": properties,
        "place": st.sampled_from(PLACES),
    }
)
paths = st.sampled_from(["n", "x", "x.y", "x.y.z.w.deep", "lines", "d.t"])
tests = st.one_of(
    st.builds(a.Filter, path=paths, op=st.sampled_from(["exists", "missing"])),
    st.builds(a.Filter, path=paths, op=st.sampled_from(["eq", "ne", "contains", "starts_with"]), value=st.sampled_from(["p", "1"])),
    st.builds(a.Filter, path=paths, op=st.sampled_from(["eq", "lt", "ge"]), value=st.sampled_from([1, 1.5])),
    st.builds(a.Filter, path=paths, op=st.just("in"), value=st.sampled_from([(True,), ("q", "p"), (0, 2)])),
    st.builds(a.Filter, path=paths, op=st.just("le"), type=st.just("date"), value=st.just("1970-01-01")),
)
where = st.lists(tests, max_size=2).map(tuple)
names = st.sampled_from(["did", "page", "it's", "Email Opened"])
spans = st.none() | st.sampled_from([5, 20])
lines = st.none() | st.builds(a.Lines, path=st.sampled_from(["lines", "x.y"]), where=st.just(()) | tests.map(lambda test: (test,)))
wide = st.one_of(
    st.builds(a.Average, event=names, where=where, lines=lines, of=paths, op=st.just("gt"), value=st.just(0), within=spans),
    st.builds(a.Distinct, event=names, where=where, lines=lines, of=paths, op=st.just("gt"), value=st.just(0), within=spans),
    st.builds(a.Distinct, event=names, of=paths, op=st.just("gt"), value=st.just(0), window=st.just(a.Around(name="day", until=7))),
    st.builds(
        a.Total,
        event=names,
        lines=lines,
        sum=paths,
        op=st.just("gt"),
        value=st.just(0),
        window=st.just(a.Between(since=3, until=30)),
    ),
    st.builds(a.Did, event=names, where=where, value=st.integers(1, 3), within=spans),
    st.builds(
        a.Total,
        event=names,
        where=where,
        sum=paths,
        op=st.just("gt"),
        value=st.just(0),
        within=spans,
    ),
)


def made(number: int, op: dict[str, Any]) -> Fact:
    named = {"type": "page", "event": ""} if op["event"] == "page" else {"type": "track", "event": op["event"]}
    return Fact(
        id=derive(number), brand="b", source="s", occurred_at=op["occurred"], received_at=op["received"], properties=op["properties"],
        profile=op["who"], **named,
    )  # fmt: skip


async def in_the_lake(plan: Plan, history: list[tuple[Any, int, Fact]], cut: Cut, room: int) -> Found:
    """Of a lake of one file. room: how many properties have columns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sheet = sheets.facts([(topic, place, offset, _decode_fact(encode(fact))) for (topic, place), offset, fact in history])
        known = sorted(sheet.cells)[:room]
        sheet.spill(set(known))
        files = Files(folder)
        written = files.write(sheet, 1)
        files.close()
        catalogue: dict[Any, dict[str, str]] = {}
        for key in known:
            catalogue.setdefault((key.event, key.scope, key.path), {})[key.kind] = column(key.scope, key.path, key.kind)
        listed = LakeFile(written.file, "facts", None, None, len(history), written.first_at, written.last_at)
        snapshot = Snapshot(folder, connect(folder, 1, "256MB"), [listed], {}, catalogue)
        found = await gather(snapshot, list(plan.accumulators.values()), cut, 4)
        try:
            everybody: Found = {}
            for share in range(4):
                last, more = None, True
                while more:
                    portion, more = await found.next(share, last, 1)
                    for (
                        who,
                        his,
                    ) in portion.items():  # here somebody's facts lie in several partitions, so he may stand in several shares
                        everybody.setdefault(who, {}).update(his)
                    last = max(portion, default=last)
            assert everybody == await found.of(PEOPLE)
            assert cut.people is None or everybody.keys() <= set(cut.people)
            return everybody
        finally:
            found.close()


OPENED = {"who": PEOPLE[0], "event": "Email Opened", "occurred": 1, "received": 2, "place": PLACES[0]}
OPENS = {
    "leaves": [a.Did(event="Email Opened", value=1)],
    "history": [{**OPENED, "properties": {"machine": True}}, {**OPENED, "properties": {}}],
    "upto": [8, 8, 8], "whom": None,
}  # fmt: skip


@settings(law, max_examples=2000 if LONG else 60)
@example(**OPENS, room=0)
@example(**OPENS, room=100)
@given(
    leaves=st.lists(wide | happenings_of(names), min_size=1, max_size=4),
    history=st.lists(told, min_size=1, max_size=12),
    upto=st.lists(st.integers(0, 8), min_size=3, max_size=3),
    room=st.sampled_from([0, 2, 100]),
    whom=st.none() | st.lists(st.sampled_from(PEOPLE), unique=True),
)
def test_the_lake_counts_as_live_does(leaves: Any, history: Any, upto: Any, room: int, whom: list[str] | None) -> None:
    plan = compile_plan({f"s{n}": leaf for n, leaf in enumerate(leaves)}, 1)
    offsets = dict.fromkeys(PLACES, 0)
    rows = []
    for number, op in enumerate(history):
        rows.append((op["place"], offsets[op["place"]], made(number, op)))
        offsets[op["place"]] += 1
    cut = Cut(dict(zip(PLACES, upto, strict=True)), NOW, whom)
    found = asyncio.run(in_the_lake(plan, rows, cut, room))
    for who in PEOPLE if whom is None else whom:
        his = [fact for place, offset, fact in rows if fact.profile == who and offset < cut.places[place]]
        his = [msgspec.structs.replace(fact, occurred_at=min(fact.occurred_at, fact.received_at)) for fact in his]
        assert folded({}, found.get(who, {}), plan, NOW) == folded({}, parting.replay(his, NOW, plan), plan, NOW)
