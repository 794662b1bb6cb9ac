"""What a link into a bot starts with: it names whom it was made for, for a month, and nobody when it is forged."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.poison import Vault
from schemas.starts import DAY_MS, Start, person_start, read_start

VAULT, NOW = Vault("secret"), 1_795_341_600_000
ANN = "6f1d3c5e-0b55-5c0e-9d0b-0a7f6b1f2a11"


@settings(deadline=None)
@given(st.uuids(), st.sampled_from(["", "quiz", "a-dialogue-of-20-cha"]), st.integers(0, 30))
def test_a_link_names_the_person_and_the_dialogue_and_is_no_longer_than_telegram_takes(profile, dialogue, days):
    start = person_start(VAULT, str(profile), NOW, dialogue)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", start)
    assert read_start(VAULT, start, NOW + days * DAY_MS) == Start(dialogue, person=str(profile))
    assert read_start(VAULT, start, NOW + 31 * DAY_MS) == Start(dialogue)
    assert read_start(Vault("another"), start, NOW) == Start(dialogue)


@settings(deadline=None)
@given(st.integers(7, 46), st.characters(min_codepoint=33, max_codepoint=0x450))
def test_any_changed_character_names_nobody(at, character):
    start = person_start(VAULT, ANN, NOW, "quiz")
    changed = start[:at] + character + start[at + 1 :]
    assert read_start(VAULT, changed, NOW).person in ("", *([ANN] if changed == start else []))


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ("", Start()),
        ("quiz", Start("quiz")),
        ("quiz__vk-ads", Start("quiz", "vk-ads")),
        ("__spring__2027", Start("", "spring__2027")),
        ("quiz__a-device_1", Start("quiz", device="device_1")),
        ("quiz__poster", Start("quiz", "poster")),
    ],
)
def test_other_payloads(payload, said):
    assert read_start(VAULT, payload, NOW) == said


@settings(deadline=None)
@given(st.text(max_size=70))
def test_noise_names_nobody(noise):
    assert read_start(VAULT, noise, NOW).person == ""
