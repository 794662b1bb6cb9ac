"""How long a call is tried: with growing pauses over a day, none shorter than the receiver asked for, and never after its slot."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.sender.domain import WEBHOOK_PAUSES_MS, Outcome, after
from tests.sender.live.kit import intent

DAY, HOUR = 86_400_000, 3_600_000
AGAIN = (Outcome.TRANSIENT, Outcome.THROTTLED)


def call(cls: str = "service", slot: int = DAY):
    one = intent(1, cls=cls, at=0)
    return replace(one, channel="webhook", not_after=slot)


def test_the_pauses_grow_and_fill_most_of_a_day():
    assert list(WEBHOOK_PAUSES_MS) == sorted(WEBHOOK_PAUSES_MS) and 19 * HOUR < sum(WEBHOOK_PAUSES_MS) < DAY


@given(st.sampled_from(["service", "triggered", "mass"]), st.lists(st.tuples(st.sampled_from([*AGAIN, Outcome.UNKNOWN]), st.integers(0, DAY)), min_size=1, max_size=30), st.integers(HOUR, DAY))  # fmt: skip
def test_whatever_is_answered_the_calls_end_and_say_how(cls, answers, slot):
    one, now, last = call(cls, slot), 0, None
    for tries, (outcome, asked) in enumerate(answers, 1):
        last = after(outcome, one, tries, now, asked or None)
        assert last.suppress == "" and last.pause_ms <= (min(asked, HOUR) if outcome is Outcome.THROTTLED else 0)
        if last.state != "retry":
            assert last.state == ("in_doubt" if outcome is Outcome.UNKNOWN else "failed")
            break
        assert last.at - now >= max(asked, WEBHOOK_PAUSES_MS[tries - 1]) and last.at <= one.not_after
        assert last.repeat == (outcome is Outcome.UNKNOWN) and (not last.repeat or cls == "service")
        now = last.at
    assert len(answers) <= len(WEBHOOK_PAUSES_MS) or last.state != "retry"


def test_what_was_refused_for_good_is_over_at_once():
    for outcome in (Outcome.REJECTED, Outcome.GONE, Outcome.FORBIDDEN_ADDRESS, Outcome.NOT_CONFIGURED):
        assert (after(outcome, call(), 1, 0).state, after(outcome, call(), 1, 0).rule) == ("failed", f"provider:{outcome}")


def test_a_managers_bad_address_is_remembered_as_a_persons_is():
    one = replace(intent(1, cls="service"), to="manager")
    assert after(Outcome.PERMANENT_ADDRESS, one, 1, 0) == after(Outcome.PERMANENT_ADDRESS, replace(one, to=""), 1, 0)
    assert after(Outcome.PERMANENT_ADDRESS, one, 1, 0).suppress == "permanent_address"
