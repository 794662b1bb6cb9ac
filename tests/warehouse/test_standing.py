"""Where people stood at an instant is what a walk through their story says: in any order of files, with merges, and with many ties."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.aliases import Merge, aliases, know_aliases
from runtime.lake import LakeFile, Snapshot, connect
from runtime.parted import Parted
from schemas.ids import derive
from schemas.memberships import Membership
from services.warehouse.api import flows, members
from services.warehouse.domain import sheets
from services.warehouse.files import Files
from services.warehouse.standing import NEVER, everybody, standing
from tests.support.live import T0

WHO = [derive("profile", who) for who in "abcd"]
SEGMENTS = ("s", "t", "u")
changes = st.tuples(st.sampled_from(range(4)), st.sampled_from(SEGMENTS), st.integers(0, 3))
merges = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=2)


class Story:
    """What the segmenter tells of four people: who is merged is told of no more, by his own id."""

    def __init__(self, told: Iterable[tuple[int, str, int]], merged: Iterable[tuple[int, int, int]]) -> None:
        self.records: list[Membership] = []
        self.merges: list[Merge] = []
        self.gone: dict[int, int] = {}
        stands: set[tuple[int, str]] = set()
        steps = sorted(
            [*((at, 0, who, segment) for who, segment, at in told), *((at, 1, one, other) for one, other, at in merged)],
            key=lambda s: s[:2],
        )
        for at, kind, who, what in steps:
            if kind == 1 and who != what and who not in self.gone and what not in self.gone:
                self.gone[who] = at
                self.merges.append(Merge(WHO[who], WHO[what], T0 + at))
                for segment in sorted(segment for someone, segment in stands if someone == who and (what, segment) not in stands):
                    self._tell(what, segment, at, "merge", stands)
                stands -= {one for one in stands if one[0] == who}
            elif kind == 0 and who not in self.gone:
                self._tell(who, what, at, "fact", stands)

    def _tell(self, who: int, segment: str, at: int, why: str, stands: set[tuple[int, str]]) -> None:
        kind = "left" if (who, segment) in stands else "entered"
        stands ^= {(who, segment)}
        number = len(self.records)
        self.records.append(
            Membership(
                type=kind,
                received_at=T0 + at,
                at=T0 + at,
                id=str(number),
                profile=WHO[who],
                segment=segment,
                why=why,
                cause=f"c{number}",
            )
        )

    def stood(self, at: int) -> dict[tuple[str, str], set[str]]:
        """(person as of now, segment) -> by which causes, at an instant."""
        last: dict[tuple[str, str], Membership] = {}
        for record in self.records:
            if record.at <= T0 + at:
                last[record.profile, record.segment] = record
        now, gone = aliases(self.merges, ()), {WHO[who]: when for who, when in self.gone.items()}
        found: dict[tuple[str, str], set[str]] = {}
        for (person, segment), record in last.items():
            if record.type == "entered" and gone.get(person, at + 1) > at:
                found.setdefault((now.get(person, person), segment), set()).add(record.cause or "")
        return found


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Makes snapshots of stories, each in a few files."""
    folder = tmp_path_factory.mktemp("lake")
    files = Files(folder, threads=1)
    base, number = connect(folder, 1, "256MB"), itertools.count()

    def snapshot(story: Story, parts: Iterable[Parted] = ()) -> Snapshot:
        rows = [("memberships", 0, place, record) for place, record in enumerate(story.records)]
        made = [files.write(sheets.memberships(some), next(number)) for some in (rows[1::2], rows[::2]) if some]
        duck = base.cursor()
        know_aliases(duck, story.merges, list(parts))
        return Snapshot(
            folder,
            duck,
            [LakeFile(f.file, f.dataset, None, None, f.rows, f.first_at, f.last_at) for f in made],
            {},
            {},
            (),
            list(parts),
        )

    yield snapshot
    files.close()
    base.close()


@settings(max_examples=80, deadline=None)
@given(st.lists(changes, min_size=2, max_size=12), merges, st.integers(0, 3), st.integers(0, 3))
async def test_as_of_any_instant_pages_flows_and_overlaps_are_the_storys(written, told, merged, one, other):
    since, until = sorted((one, other))
    story = Story(told, merged)
    snapshot = written(story)
    before, after = story.stood(since), story.stood(until)
    query, given_ = standing(snapshot, SEGMENTS, T0 + until)
    rows = await snapshot.query(f"SELECT person::VARCHAR, segment, cause FROM ({query})", given_)
    found: dict[tuple[str, str], set[str]] = {}
    for person, segment, cause in rows:
        found.setdefault((person, segment), set()).add(cause)
    assert found == after
    page = await members.page(snapshot, members.Asked("s", T0 + until, members.BEFORE_ALL, 2))
    everyone = sorted(person for person, segment in after if segment == "s")
    assert [item["profile"] for item in page["items"]] == everyone[:2] and page["count"] == len(everyone)
    assert page["next"] == (everyone[1] if len(everyone) > 2 else None)
    table = await flows.flows(snapshot, SEGMENTS, T0 + since, T0 + until)
    assert moves(table) == counted(before, after)
    for side, where in (("from", before), ("to", after)):
        for segment in SEGMENTS:
            assert table["sizes"][segment][side] == sum(held == segment for _, held in where)
    regions = (await flows.overlap(snapshot, SEGMENTS, T0 + until))["regions"]
    assert sum(region["count"] for region in regions) == len({person for person, _ in after})
    assert {tuple(region["segments"]) for region in regions} == {tuple(where) for where in places(after).values()}
    snapshot.close()


def places(stood: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for person, segment in sorted(stood):
        found.setdefault(person, []).append(segment)
    return found


def counted(before: Iterable[tuple[str, str]], after: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """How many went from where to where."""

    def state(where: list[str] | None) -> str:
        return flows.NONE if not where else where[0] if len(where) == 1 else flows.SEVERAL

    one, other = places(before), places(after)
    found: dict[tuple[str, str], int] = {}
    for person in one.keys() | other.keys():
        way = state(one.get(person)), state(other.get(person))
        found[way] = found.get(way, 0) + 1
    return found


def moves(table) -> dict[tuple[str, str], int]:
    """The cells that are not empty; rows and columns add up."""
    states = table["states"]
    assert [sum(row) for row in table["matrix"]] == table["totals"]["from"]
    assert [sum(column) for column in zip(*table["matrix"], strict=True)] == table["totals"]["to"]
    return {(a, b): n for a, row in zip(states, table["matrix"], strict=True) for b, n in zip(states, row, strict=True) if n}


async def test_the_end_is_without_those_who_are_another_by_now_and_conditions_of_journeys(written):
    story = Story([(0, "s", 1), (1, "t", 2), (2, "~journey.x", 3)], [(0, 1, 4)])
    snapshot = written(story)
    query, given_ = everybody(snapshot)
    assert [row[:2] for row in await snapshot.query(query, given_)] == [("s", WHO[1]), ("t", WHO[1])]
    snapshot.close()


async def test_after_an_unmerge_what_was_told_by_an_id_is_his_whose_that_is_now(written):
    """a became one with b, and was then parted from him as d: he stood there as d, until he was merged."""
    story = Story([(0, "s", 1)], [(0, 1, 4)])
    part = Parted(WHO[0], WHO[3], WHO[1], [WHO[0], WHO[1]])
    snapshot = written(story, [part])

    async def stood(at: int) -> set[str]:
        query, given_ = standing(snapshot, ["s"], at)
        return {row[0] for row in await snapshot.query(f"SELECT person::VARCHAR FROM ({query})", given_)}

    assert await stood(T0 + 3) == {WHO[3]}
    assert await stood(NEVER) == {WHO[1]}, "what they did as one is told of him who kept the id"
    snapshot.close()


def test_chains_of_merges_lead_to_the_last_and_circles_end():
    a, b, c, d = WHO
    assert aliases([Merge(a, b, 1), Merge(b, c, 2)], ()) == {a: c, b: c}
    assert aliases([Merge(a, b, 1)], [Parted(a, d, b, [a, b])]) == {a: d}
    assert aliases([Merge(a, b, 1)], [Parted(a, d, b, [c])]) == {a: b}, "told of others"
    assert set(aliases([Merge(a, b, 1), Merge(b, a, 2)], ())) == {a, b}
