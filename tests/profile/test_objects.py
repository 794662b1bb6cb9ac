"""Companies and deals, pure: the same end in whatever order the facts come, and each true change told once."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas import attributes
from services.profile.domain import accounts, deals
from services.profile.domain.accounts import Account
from services.profile.domain.deals import Deal
from tests.support.live import T0, fact

STAGES = ("new", "offer", "closed")
STATUSES = ("open", "won", "lost")


@st.composite
def updates(draw):
    """Updates of one deal at instants of their own, and an order in which they are heard."""
    size = draw(st.integers(1, 7))
    said = [
        draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "stage": st.sampled_from(STAGES),
                    "status": st.sampled_from(STATUSES),
                    "reason_lost": st.sampled_from("xy"),
                },
            )
        )
        for _ in range(size)
    ]
    facts = [
        fact(f"{n}", "user_id:1", event="Deal Updated", at=T0 + n, properties={"deal_id": "7", **one}) for n, one in enumerate(said)
    ]
    return facts, draw(st.permutations(facts))


def heard(facts):
    deal, told = Deal("shop", "crm", "7"), []
    for one in facts:
        told += deals.update(deal, one)
    return deal, told


@given(updates())
def test_a_deal_ends_the_same_in_any_order_with_a_history_sorted_by_time(case):
    facts, order = case
    (right, told), (shuffled, told_then) = heard(facts), heard([*order, *order])
    assert deals.now(right) == deals.now(shuffled) and deals.history(right) == deals.history(shuffled)
    assert deals.brief(right) == deals.brief(shuffled)
    moments = [line["at"] for line in deals.history(shuffled)]
    assert moments == sorted(moments)
    # What is told in order is told in any other one too, as often; there more may be told, of what looked like a change then.
    often, often_then = (Counter(name_of(one) for one in some) for some in (told, told_then))
    assert all(often_then[name] >= times for name, times in often.items())
    assert all(often_then[name] <= len(facts) for name in often_then)


def name_of(told):
    return told.event, told.state.get("stage") if "Stage" in told.event else None


@given(updates())
def test_told_in_order_each_stage_differs_from_the_one_before(case):
    _, told = heard(case[0])
    stages = [one for one in told if one.event == "Deal Stage Changed"]
    assert all(one.state["stage"] != other.state["stage"] for one, other in pairwise(stages))
    assert len({(one.event, one.fact) for one in told}) == len(told)
    assert all(one.previous == other.state["stage"] for other, one in pairwise(stages))


def test_the_oldest_updates_become_one_and_nothing_of_what_it_is_now_is_lost():
    many = deals.MOST_UPDATES + 20
    facts = [
        fact(f"{n}", "user_id:1", event="Deal Updated", at=T0 + n, properties={"deal_id": "7", "stage": n}) for n in range(many)
    ]
    named = fact("name", "user_id:1", event="Deal Updated", at=T0 - 1, properties={"deal_id": "7", "name": "first", "stage": -1})
    deal, _ = heard([*facts, named])
    assert deals.now(deal) == {"status": "open", "name": "first", "stage": many - 1}
    assert len(deal.updates) == deals.MOST_UPDATES
    again = fact("again", "user_id:1", event="Deal Updated", at=T0 + many, properties={"deal_id": "7", "stage": 0})
    assert [one.state["stage"] for one in deals.update(deal, again)] == [0], "it was there so long ago that nobody remembers"


SAID = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["A", "B", None]),
        "employees": st.integers(0, 3),
        "kind": st.sampled_from(["legal", "person", "unknown", "galaxy"]),
        "role": st.sampled_from(["buyer", "director", ""]),
    },
)


@st.composite
def groups(draw):
    said = draw(st.lists(st.tuples(st.integers(0, 5), SAID, st.booleans()), min_size=1, max_size=7))
    facts = []
    for number, (at, traits, stays) in enumerate(said):
        kind = {"type": "group", "event": ""} if stays else {"event": "Account Left"}
        facts.append(fact(f"{number}", "user_id:1", at=T0 + at, properties={"group_id": "acme", **traits}, **kind))
    return facts, draw(st.permutations(facts))


def company(facts):
    account, member = Account("acme", 2**62), {}
    for one in facts:
        stays = one.type == "group"
        accounts.noticed(account, one)
        if stays:
            accounts.hear(account, one)
        member = accounts.belong(account, member, one, "p", stays=stays)
    return account, member


@given(groups(), st.integers(0, 7))
def test_a_company_and_a_membership_end_the_same_in_any_order_and_however_people_are_merged(case, cut):
    facts, order = case
    (right, member), (shuffled, member_then) = company(facts), company(order)
    assert right.attributes == shuffled.attributes and member == member_then
    assert accounts.kind_of_account(right) in ("legal", "person", "unknown")
    assert accounts.seen_by_member(right, member, {}) == accounts.seen_by_member(shuffled, member_then, {})
    lines = [line.at for line in shuffled.history]
    assert lines == sorted(lines)
    # Two people who are found to be one: as if all had been said of one.
    one, other = company(order[:cut])[1], company(order[cut:])[1]
    assert dict(attributes.merge(one, other)[0]) == member


def test_of_a_company_at_most_so_many_attributes_are_kept_and_each_is_bounded():
    account = Account("acme", T0)
    said = {f"a{n:03}": n for n in range(accounts.MOST_ATTRIBUTES + 5)}
    accounts.hear(account, fact("1", "user_id:1", type="group", event="", properties=said))
    accounts.hear(
        account, fact("2", "user_id:1", type="group", event="", at=T0 + 1, properties={"a000": "new", "long": "x" * 3000})
    )
    assert len(account.attributes) == accounts.MOST_ATTRIBUTES and account.attributes["a000"][1] == "new"
    assert "long" not in account.attributes


def test_a_manager_of_somebodys_own_is_that_of_his_newest_open_deal_of_each_brand():
    def brief(id_, at, brand="shop", status="open", **more):
        return {"id": id_, "at": at, "brand": brand, "status": status, **more}

    told = deals.summary([
        brief("1", 1, manager="old@shop.example"), brief("2", 2, manager="new@shop.example"), brief("3", 3),
        brief("4", 4, status="won", manager="won@shop.example"), brief("5", 1, "other", manager="ivy@other.example"),
    ])  # fmt: skip
    assert told["manager"] == {"shop": "new@shop.example", "other": "ivy@other.example"}
