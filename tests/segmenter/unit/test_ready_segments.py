"""The segments that are shipped part people as their files say: everybody stands in one stage, one group of RFM, one temperature."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import publishing
from schemas.audience_reading import parse
from schemas.facts import Fact
from services.segmenter.domain.live import decide, fire
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.state import State

DAY, NOW = 86_400_000, 1_790_000_000_000
FOLDER = Path(__file__).parents[3] / "deploy/segments"
EVENTS = ("Order Completed", "Order Completed", "Demo Requested", "Page Viewed", "Email Link Clicked", "Signed In")
STAGES = ["stage-lead", "stage-new", "stage-active", "stage-cooling", "stage-lost"]
GROUPS = ["rfm-champions", "rfm-loyal", "rfm-promising", "rfm-at-risk", "rfm-sleeping", "rfm-lost"]
TIERS = ["tier-micro", "tier-small", "tier-middle", "tier-large"]
LEADS = ["lead-hot", "lead-warm", "lead-cold"]
days = st.sampled_from([0, 1, 6, 7, 13, 14, 29, 30, 31, 89, 90, 91, 179, 180, 181, 364, 365, 366, 500])


@pytest.fixture(scope="module")
def plan():
    bodies = [one["body"] for file in sorted(FOLDER.glob("*.yaml")) for one in publishing.read(file, None)]
    found = {body["key"]: parse(body["condition"]) for body in bodies}
    return compile_plan(found, 1)


@given(st.lists(st.tuples(days, st.sampled_from(EVENTS), st.integers(0, 4_000_000)), max_size=12), st.none() | st.integers(0, 100))
def test_everybody_stands_in_one_of_each(plan, did, score):
    state = State()
    for number, (ago, event, minor) in enumerate(sorted(did, reverse=True)):
        at = NOW - ago * DAY
        said = {"total": {"minor": minor, "currency": "RUB"}, "path": "/pricing"}
        given_ = {"type": "page" if event == "Page Viewed" else "track", "event": event}
        fact = Fact(id=f"f{number}", brand="b", source="s", received_at=at, occurred_at=at, properties=said, **given_)
        state = decide(state, fact, at, plan).state
    about = Fact(
        id="f",
        brand="b",
        source="s",
        received_at=NOW,
        occurred_at=NOW,
        type="identify",
        attributes={"score": score} if score is not None else {},
    )
    members = fire(decide(state, about, NOW, plan).state, NOW, plan).state.members
    bought = any(event == "Order Completed" for _, event, _ in did)
    assert sum(key in members for key in STAGES) == 1 and ("stage-lead" in members) is not bought
    assert sum(key in members for key in GROUPS) == bought
    lately = [minor for ago, event, minor in did if event == "Order Completed" and ago < 365]
    tier = lately and TIERS[sum(sum(lately) >= bound * len(lately) for bound in (50_000, 200_000, 1_000_000))]
    assert [key for key in TIERS if key in members] == ([tier] if tier else [])
    crossed = {
        key for key in members if key.partition("-")[2] in ("micro", "small", "middle", "large") and not key.startswith("tier")
    }
    stage = next(key for key in STAGES if key in members)
    assert crossed == ({f"{stage.partition('-')[2]}-{tier.partition('-')[2]}"} if tier else set())
    assert sum(key in members for key in LEADS) == (not bought)
    if score is not None and not bought:
        assert ("lead-hot" in members, "lead-cold" in members) == (score >= 70, score < 30)
