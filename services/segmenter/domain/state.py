"""One person as the segmenter keeps him: a value, stored as bytes, never changed in place.

Personal attributes (names, addresses, birthdays) are kept only when a segment asks for them; identifiers only by
their kind.
"""

from collections.abc import Mapping

import msgspec

from schemas.attributes import Entry
from schemas.permission import Words
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.series import Series

UNSEEN = 0  # revision of a person who was never evaluated


class State(msgspec.Struct, array_like=True, gc=False):
    """Times are UTC ms. New fields go to the end, with defaults: old rows must stay readable.

    clock: the latest instant at which anything was evaluated; it never goes back. due: when time alone may next flip
    a segment. revision: of the plan it was evaluated under. members: segment key -> since. horizons: segment key ->
    when it may flip. series: accumulator -> what he did. attributes: name -> (at, value), see schemas.attributes.
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
    horizons: dict[str, int] = {}
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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)
_glancer = msgspec.msgpack.Decoder(Glance)


def encode(state: State) -> bytes:
    return _encoder.encode(state)


def decode(data: bytes) -> State:
    """A state from its bytes. Raises msgspec.ValidationError or msgspec.DecodeError on a damaged row."""
    return _decoder.decode(data)


def glance(data: bytes) -> Glance:
    """The head of an encoded state. Raises as decode does."""
    return _glancer.decode(data)
