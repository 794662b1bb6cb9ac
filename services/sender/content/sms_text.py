"""How many segments an SMS takes and why (3GPP 23.038). Pure; the editor shows it, the report prices it."""

from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")  # two septets each
_QUOTES = str.maketrans(
    {"«": '"', "»": '"', "„": '"', "“": '"', "”": '"', "‘": "'", "’": "'", "—": "-", "–": "-", "…": "...", "\u00a0": " "}
)


@dataclass(frozen=True, slots=True)
class Segments:
    """units: septets or UTF-16 units in all. left: units that fit into the last segment still. culprits: what makes it UCS-2, in order."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    count: int
    left: int
    culprits: str = ""


def segments(text: str) -> Segments:
    """160 septets or 70 UTF-16 units alone, 153 or 67 each in a chain; neither an escaped character nor a surrogate pair is ever split."""
    culprits = "".join(dict.fromkeys(character for character in text if character not in _BASIC and character not in _EXTENDED))
    if culprits:
        return _packed("ucs2", [2 if ord(character) > 0xFFFF else 1 for character in text], 70, 67, culprits)
    return _packed("gsm7", [2 if character in _EXTENDED else 1 for character in text], 160, 153)


def _packed(encoding: Literal["gsm7", "ucs2"], widths: list[int], single: int, chained: int, culprits: str = "") -> Segments:
    units = sum(widths)
    if units <= single:
        return Segments(encoding, units, 1 if units else 0, single - units, culprits)
    count, used = 1, 0
    for width in widths:
        if used + width > chained:
            count, used = count + 1, 0
        used += width
    return Segments(encoding, units, count, chained - used, culprits)


def normalised(text: str) -> str:
    """Typographic quotes, dashes and spaces as plain ones: one of them makes a Latin text two and a half times as long."""
    return text.translate(_QUOTES)
