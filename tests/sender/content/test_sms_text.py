import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.content.sms_text import normalised, segments


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count", "left"),
    [
        ("", "gsm7", 0, 0, 160),
        ("a" * 160, "gsm7", 160, 1, 0),
        ("a" * 161, "gsm7", 161, 2, 145),
        ("a" * 306, "gsm7", 306, 2, 0),
        ("a" * 307, "gsm7", 307, 3, 152),
        ("€" * 80, "gsm7", 160, 1, 0),
        ("€" * 81, "gsm7", 162, 2, 143),
        ("a" * 152 + "€" * 76 + "aa", "gsm7", 306, 3, 152),  # no escaped character is split: 152, 153, 1
        ("я" * 70, "ucs2", 70, 1, 0),
        ("я" * 71, "ucs2", 71, 2, 63),
        ("я" * 134, "ucs2", 134, 2, 0),
        ("я" * 135, "ucs2", 135, 3, 66),
        ("😀" * 35, "ucs2", 70, 1, 0),
        ("😀" * 36, "ucs2", 72, 2, 61),
        ("😀" * 67, "ucs2", 134, 3, 65),
        ("x" * 69 + "ё", "ucs2", 70, 1, 0),
        ("x" * 159 + "—", "ucs2", 160, 3, 41),
    ],
)
def test_segments(text, encoding, units, count, left):
    found = segments(text)
    assert (found.encoding, found.units, found.count, found.left) == (encoding, units, count, left)


def test_what_makes_it_long_is_named():
    assert segments("Скидка «5%» — now").culprits == "Скида«»—"
    assert segments(normalised("«a» — “b”…")).encoding == "gsm7"


@given(st.text(st.sampled_from("aЯ€😀~ "), max_size=400))
def test_a_longer_text_never_takes_fewer_segments_and_all_units_fit(text):
    found = segments(text)
    capacity = {"gsm7": (160, 153), "ucs2": (70, 67)}[found.encoding]
    assert found.units <= (capacity[0] if found.count <= 1 else capacity[1] * found.count)
    assert segments(text + "a").count >= found.count
