"""One person as the segmenter keeps him: a value, stored as bytes, never changed in place.

Personal attributes (names, addresses, birthdays) are kept only when a segment asks for them; identifiers only by
their kind.
"""

from array import array
from collections.abc import Mapping

import msgspec

from schemas.attributes import Entry
from schemas.permission import Words
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.packing import Columns, Table, columns, instants_of, series_of, tabled, untabled
from services.segmenter.domain.series import Series

UNSEEN = 0  # revision of a person who was never evaluated
SHORT = 24  # so many instants at the most stand in a state that is stored as it is
OUTSIDE = -1  # of one whose state was put there from outside (mending.py): he stands under no plan


class State(msgspec.Struct, gc=False):
    """Times are UTC ms.

    clock: the latest instant at which anything was evaluated; it never goes back. due: when time alone may next flip
    a segment. revision: of the plan it was evaluated under. members: segment key -> since. horizons: mark of a segment
    (plan.Plan) -> when it may flip. series: accumulator -> what he did. attributes: name -> (at, value), see schemas.attributes.
    kinds: of his identifiers. bucketing: (bucketed_at, bucketing_id), the smallest pair seen.
    apart: ids of his that an unmerge made and of which one half was heard (whose he was, or who he is): until the other is, nothing is
    told of him.
    words: of consent, by subject (schemas/permission.py).
    owed: how often what the lake has of him is still to be counted anew; since: meanwhile, what he did after that was asked for.
    awaits: the number of the filling (plan.Filling) that is still to come to him; since: meanwhile, of what it fills again. One that is
    over owes nobody anything.
    """

    revision: int = UNSEEN
    clock: int = 0
    due: int = NEVER
    kinds: tuple[str, ...] = ()
    bucketing: tuple[int, str] | None = None
    members: dict[str, int] = {}
    horizons: dict[int, int] = {}
    series: dict[int, Series] = {}
    attributes: Mapping[str, Entry] = {}
    apart: tuple[str, ...] = ()
    owed: int = 0
    since: dict[int, Series] = {}
    words: Words = {}
    awaits: int = 0

    @property
    def due_at(self) -> int | None:
        """The instant of his next timer, None when time alone changes nothing."""
        return self.due if self.due < NEVER else None


class Glance(msgspec.Struct, array_like=True, gc=False):
    """The head of a stored state: enough to see that a fact changes nothing (live.idle), at a fifth of the cost of decoding."""

    revision: int
    clock: int
    due: int
    kinds: tuple[str, ...]
    bucketing: tuple[int, str] | None


class Stored(msgspec.Struct, array_like=True, gc=False):
    """A state as bytes: its head, as `Glance` reads it, and the rest, in few bytes (packing.py) where it is long and else as it is, which
    is read and written in less time. table: all instants of members, horizons, series and since, in this order, None where the rest is
    as it is; places: where each stands in it. New fields go to the end, with defaults: old rows must stay readable.
    """

    revision: int
    clock: int
    due: int
    kinds: tuple[str, ...]
    bucketing: tuple[int, str] | None
    table: Table | None
    places: bytes
    members: list[str] | dict[str, int]
    horizons: bytes | dict[int, int]
    series: Columns | dict[int, Series]
    attributes: Mapping[str, Entry]
    apart: tuple[str, ...] = ()
    owed: int = 0
    since: Columns | dict[int, Series] | None = None
    words: Words = {}
    awaits: int = 0


class First(msgspec.Struct, array_like=True, gc=False):
    """A state as it was stored until November 2026. Its horizons name segments by their keys: they are worked out anew (draft.py).
    It stands apart from State, whose fields may change, as these rows do not.
    """

    revision: int = UNSEEN
    clock: int = 0
    due: int = NEVER
    kinds: tuple[str, ...] = ()
    bucketing: tuple[int, str] | None = None
    members: dict[str, int] = {}
    horizons: dict[str, int] = {}
    series: dict[int, Series] = {}
    attributes: Mapping[str, Entry] = {}
    apart: tuple[str, ...] = ()
    owed: int = 0
    since: dict[int, Series] = {}
    words: Words = {}
    awaits: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Stored)
_first = msgspec.msgpack.Decoder(First)
_glancer = msgspec.msgpack.Decoder(Glance)


def encode(state: State) -> bytes:
    if _is_short(state):
        table, places = None, b""
        members: list[str] | dict[str, int] = state.members
        horizons: bytes | dict[int, int] = state.horizons
        series: Columns | dict[int, Series] = state.series
        since: Columns | dict[int, Series] | None = state.since or None
    else:
        members, horizons = list(state.members), array("I", state.horizons).tobytes()
        series, instants = columns(state.series)
        since, more = columns(state.since) if state.since else (None, [])
        table, places = tabled([*state.members.values(), *state.horizons.values(), *instants, *more])
    return _encoder.encode(
        Stored(
            state.revision, state.clock, state.due, state.kinds, state.bucketing, table, places, members, horizons, series,
            state.attributes, state.apart, state.owed, since, state.words, state.awaits,
        )
    )  # fmt: skip


def _is_short(state: State) -> bool:
    """Whether so few instants stand in it that packing them would save less than it costs."""
    left = SHORT - len(state.members) - len(state.horizons)
    for series in (state.series, state.since):
        for one in series.values():
            left -= 2 + len(one.times)
            if left < 0:
                return False
    return left >= 0


def decode(data: bytes) -> State:
    """A state from its bytes. Raises msgspec.ValidationError or msgspec.DecodeError on a damaged row."""
    try:
        stored = _decoder.decode(data)
    except msgspec.ValidationError:
        return _of_first(_first.decode(data))
    try:
        members, horizons, series, since = _packed(stored, stored.table) if stored.table is not None else _plain(stored)
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise msgspec.ValidationError(f"a damaged row: {error}") from error
    return State(
        stored.revision, stored.clock, stored.due, stored.kinds, stored.bucketing, members, horizons, series, stored.attributes,
        stored.apart, stored.owed, since, stored.words, stored.awaits,
    )  # fmt: skip


Rest = tuple[dict[str, int], dict[int, int], dict[int, Series], dict[int, Series]]  # members, horizons, series, since


def _plain(stored: Stored) -> Rest:
    since = stored.since or {}
    if not (isinstance(stored.members, dict) and isinstance(stored.horizons, dict)):
        raise TypeError("members or horizons are packed, and there is no table")
    if not (isinstance(stored.series, dict) and isinstance(since, dict)):
        raise TypeError("series are packed, and there is no table")
    return stored.members, stored.horizons, stored.series, since


def _packed(stored: Stored, table: Table) -> Rest:
    if not (isinstance(stored.members, list) and isinstance(stored.horizons, bytes)):
        raise TypeError("members or horizons are as they are, beside a table")
    if not isinstance(stored.series, Columns) or isinstance(stored.since, dict):
        raise TypeError("series are as they are, beside a table")
    instants = untabled(table, stored.places)
    marks, since = array("I", stored.horizons), stored.since
    first = len(stored.members)
    then = first + len(marks)
    end = len(instants) if since is None else len(instants) - instants_of(since)
    return (
        dict(zip(stored.members, instants[:first], strict=True)), dict(zip(marks, instants[first:then], strict=True)),
        series_of(stored.series, instants[then:end]), {} if since is None else series_of(since, instants[end:]),
    )  # fmt: skip


def _of_first(held: First) -> State:
    return State(
        held.revision, held.clock, held.due, held.kinds, held.bucketing, held.members, {}, held.series, held.attributes, held.apart,
        held.owed, held.since, held.words, held.awaits,
    )  # fmt: skip


def glance(data: bytes) -> Glance:
    """The head of an encoded state. Raises as decode does."""
    return _glancer.decode(data)
