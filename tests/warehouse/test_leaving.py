"""Who leaves with a segment is who was in it, in order, each with his first and last touch, however many pieces that takes."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.aliases import Merge, aliases, know_aliases
from runtime.batches import frames, unpacked
from runtime.lake import LakeFile, Snapshot, connect
from schemas.exports import CAME, LINE, PROFILE, STANDING
from schemas.facts import Fact
from schemas.ids import derive
from schemas.memberships import Membership
from services.warehouse.api import leaving
from services.warehouse.domain import sheets
from services.warehouse.files import Files
from tests.support.live import T0, fact

WHO = sorted(derive("profile", who) for who in "abcd")
SOURCES = ("site", "shop", "otklik")
deeds = st.lists(
    st.tuples(st.sampled_from(range(4)), st.integers(0, 5), st.sampled_from(SOURCES), st.sampled_from(("", "vk", "mail"))),
    max_size=10,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Makes snapshots of memberships and facts."""
    folder = tmp_path_factory.mktemp("lake")
    files = Files(folder, threads=1)
    base, number = connect(folder, 1, "256MB"), itertools.count()

    def snapshot(entered: Iterable[int], happened: Iterable[Fact], merges: list[Merge]) -> Snapshot:
        told = [("memberships", 0, n, _entered(who)) for n, who in enumerate(entered)]
        facts = [("facts", 0, n, one) for n, one in enumerate(happened)]
        made = [
            files.write(sheet, next(number))
            for sheet in (sheets.memberships(told) if told else None, sheets.facts(facts) if facts else None)
            if sheet
        ]
        duck = base.cursor()
        know_aliases(duck, merges, [])
        listed = [LakeFile(f.file, f.dataset, None, None, f.rows, f.first_at, f.last_at) for f in made]
        return Snapshot(folder, duck, listed, {}, {})

    yield snapshot
    files.close()
    base.close()


def _entered(who: int) -> Membership:
    return Membership(type="entered", received_at=T0, at=T0 + who, id=str(who), profile=WHO[who], segment="s", cause=f"c{who}")


def did(n: int, who: int, at: int, source: str, campaign: str) -> Fact:
    context: Any = {"campaign": {"source": campaign}} if campaign else {}
    # No two at one instant: which of them was first is nobody's business.
    return fact(f"f{n}", f"user_id:{who}", at=T0 + 100 * at + n, profile=WHO[who], source=source, context=context)


async def told(snapshot: Snapshot, at: int, *, lines: bool) -> list[list[dict[str, Any]]]:
    return [unpacked(frame).to_pylist() async for frame in frames(leaving.stream(snapshot, "s", at, lines=lines))]


def touches(happened: Iterable[Fact], at: int, now: dict[str, str]) -> dict[str, dict[str, Any]]:
    """By person, told plainly."""
    found: dict[str, dict[str, Any]] = {}
    for one in sorted(happened, key=lambda f: f.occurred_at):
        if one.source == "otklik" or one.occurred_at > at:
            continue
        campaign = one.context.get("campaign", {}).get("source")
        ours = found.setdefault(now.get(one.profile, one.profile), {})
        for touch in ("first_touch", "last_touch"):
            if touch == "last_touch" or f"{touch}_at" not in ours:
                ours |= {f"{touch}_at": one.occurred_at, f"{touch}_source": one.source}
            if campaign and (touch == "last_touch" or f"{touch}_campaign_source" not in ours):
                ours[f"{touch}_campaign_source"] = campaign
    return found


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 3)), deeds, st.booleans(), st.integers(1, 3), st.integers(0, 600))
async def test_each_is_told_once_with_how_he_came(written, entered, happened, merged, size, after):
    facts = [did(n, *one) for n, one in enumerate(happened)]
    merges = [Merge(WHO[1], WHO[2], T0)] if merged and 1 not in entered else []
    at, expected = T0 + after, touches(facts, T0 + after, aliases(merges, ()))
    members = [who for who in sorted(entered) if T0 + who <= at]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leaving, "PIECE", size)
        patch.setattr(leaving, "READ", 2 * size)
        snapshot = written(entered, facts, merges)
        pieces = await told(snapshot, at, lines=False)
        snapshot.close()
        snapshot = written(entered, facts, merges)
        lines = await told(snapshot, at, lines=True)
        snapshot.close()
    assert all(len(one) == size for one in pieces[:-1]) and sum(map(len, pieces)) == len(members)
    for who, row, line in zip(members, itertools.chain(*pieces), itertools.chain(*lines), strict=True):
        names = [column.name for column in (PROFILE, *STANDING, *CAME)]
        assert list(row) == names
        came = expected.get(WHO[who], {})
        assert row == dict.fromkeys(names) | {"profile": WHO[who], "since": T0 + who, "why": "fact", "cause": f"c{who}"} | came
        assert line["profile"] == WHO[who]
        assert json.loads(line[LINE]) == {
            "id": WHO[who], "since": T0 + who, "why": "fact", "cause": f"c{who}", "version": 0,
            **{touch: _nested(touch, came) for touch in ("first_touch", "last_touch")},
        }  # fmt: skip


def _nested(touch: str, came: dict[str, Any]) -> dict[str, Any] | None:
    campaign = came.get(f"{touch}_campaign_source")
    told = {"source": campaign, "medium": None, "name": None} if campaign else None
    return {"at": came[f"{touch}_at"], "source": came[f"{touch}_source"], "campaign": told} if came else None
