"""Records of `memberships`: who entered or left which segment and why, and how far the segmenter has come."""

from typing import Literal

import msgspec

from schemas.facts import Seq

Why = Literal["fact", "time", "merge", "split", "backfill", "rebuild"]
# Changes of these kinds start no journey (DESIGN 4); the orchestrator still learns where the person stands.
QUIET = frozenset(("merge", "split", "backfill", "rebuild"))


class Membership(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """type entered or left: `profile` did so with `segment` at instant `at` (ms), for the reason `why`, by the fact `cause`.

    carried: by a merge whose other side stood in it already: no news, and no journey starts.

    type mark: the segmenter has handled everything below `offset` of partition `partition` of topic `topic`. parts: the partitions of
    `memberships` in which this mark stands, each behind what was told there; none means its own alone, which is the rule. The key of a
    condition as `topic`, with offset 1: everybody of the partition has been asked, from here on silence about somebody means no.
    received_at is the instant that orders it among other records of the person (the same as `at`).
    """

    type: Literal["entered", "left", "mark"]
    received_at: int
    id: str = ""
    profile: str = ""
    segment: str = ""
    version: int = 0
    at: int = 0
    why: Why = "fact"
    cause: str | None = None
    carried: bool = False
    topic: str = ""
    partition: int = -1
    offset: int = -1
    parts: tuple[int, ...] = ()
    src: str | None = None
    seq: Seq | None = None


decode = msgspec.json.Decoder(Membership).decode
