"""What comes into a pool: codes read of a file or of JSON line by line, or made by a pattern. Pure."""

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from schemas.promo_pools import is_code, spelled

MOST = 1_000_000  # codes of one upload
HEADERS = frozenset(("code", "codes", "coupon", "promo_code", "promocode", "код", "промокод"))
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # 32 that are not taken for one another
PLACE = "#"  # of a pattern, stands for one of them
SPARSE = 1_000  # of so many that a pattern could make, one at most is made: guessing finds none


class Wrong(ValueError):  # noqa: N818
    """A request that cannot be done at all. path: the field; code: stable; the text says how to mend it."""

    def __init__(self, path: str, code: str, message: str) -> None:
        super().__init__(message)
        self.path, self.code, self.message = path, code, message


class Refused(NamedTuple):
    """line: from 1; of JSON the place in the list. reason: `characters`, `encoding`, `repeated`, `known`."""

    line: int
    reason: str


class Line(NamedTuple):
    line: int
    code: str


def of_text(body: bytes) -> Iterator[Line | Refused]:
    """One code a line, or the first column of CSV; a header and empty lines are passed by."""
    lines = body.removeprefix(codecs.BOM_UTF8).split(b"\n")
    for number, raw in enumerate(lines, 1):
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            yield Refused(number, "encoding")
            continue
        cell = _first_cell(text)
        if cell and not (number == 1 and cell.casefold() in HEADERS):
            yield Line(number, cell) if is_code(cell) else Refused(number, "characters")


def of_list(codes: Sequence[str]) -> Iterator[Line | Refused]:
    for number, code in enumerate(codes, 1):
        code = code.strip()
        yield Line(number, code) if is_code(code) else Refused(number, "characters")


def sorted_out(found: Iterable[Line | Refused]) -> tuple[list[Line], list[Refused]]:
    """Good ones, each once however it is spelled, and the others. Raises Wrong for too many."""
    good: dict[str, Line] = {}
    refused: list[Refused] = []
    for one in found:
        if isinstance(one, Refused):
            refused.append(one)
        elif (name := spelled(one.code)) in good:
            refused.append(Refused(one.line, "repeated"))
        elif len(good) == MOST:
            raise Wrong("codes", "code_count", f"more than {MOST} codes: send them in several requests")
        else:
            good[name] = one
    return list(good.values()), refused


class Generate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """pattern: `#` stands for a digit or a letter, everything else for itself, e.g. `BDAY-########`."""

    pattern: str
    count: int


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON of a request: one of both."""

    codes: list[str] | None = None
    generate: Generate | None = None


def asked(body: bytes) -> Asked:
    """Raises Wrong."""
    try:
        found = msgspec.json.decode(body, type=Asked)
    except msgspec.ValidationError as error:
        raise Wrong(
            "", "code_fields", f'{error}: send {{"codes": ["A1B2", ...]}} or {{"generate": {{"pattern", "count"}}}}'
        ) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Wrong("", "malformed_json", "the body is not JSON in UTF-8: mend it, or send the codes as text/csv") from error
    if (found.codes is None) == (found.generate is None):
        raise Wrong("", "code_fields", "codes, generate: give one of them")
    if found.generate is not None:
        _check(found.generate)
    return found


def _check(wanted: Generate) -> None:
    if not 1 <= wanted.count <= MOST:
        raise Wrong("generate.count", "code_count", f"count: from 1 to {MOST}")
    if not is_code(wanted.pattern.replace(PLACE, "0")):
        raise Wrong(
            "generate.pattern", "code_characters", "pattern: letters, digits, and `-`, `_`, `.` between them, up to 64 characters"
        )
    if len(ALPHABET) ** wanted.pattern.count(PLACE) < wanted.count * SPARSE:
        raise Wrong("generate.pattern", "code_guessable", f"pattern: whoever guesses would find codes: take more `{PLACE}`")


def made(wanted: Generate, random: Callable[[int], bytes]) -> list[str]:
    """As many different codes. random: bytes (32 at least) of a number that nobody can foresee."""
    found: dict[str, None] = {}
    number = 0
    while len(found) < wanted.count:
        found[_filled(wanted.pattern, random, number)] = None
        number += 1
    return list(found)


def _filled(pattern: str, random: Callable[[int], bytes], number: int) -> str:
    """A pattern has up to 64 places: two lots of bytes, of which each tells one character."""
    places = pattern.count(PLACE)
    lot = random(2 * number) + (random(2 * number + 1) if places > 32 else b"")
    letters = iter(lot)
    return "".join(ALPHABET[next(letters) % len(ALPHABET)] if one == PLACE else one for one in pattern)


def _first_cell(text: str) -> str:
    text = text.strip("\r\n \t")
    if text.startswith('"'):
        return text[1:].partition('"')[0].strip()
    for mark in ",;\t":
        text = text.partition(mark)[0]
    return text.strip()
