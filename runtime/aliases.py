"""Who is whom by now, for a reader of what was told with ids of before: people who became one with others, and whom an unmerge parted."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from runtime.parted import Parted


class Merge(NamedTuple):
    """Somebody became one with somebody else at an instant (ms), and was not told of by his own id any more."""

    loser: str
    winner: str
    at: int


def aliases(merges: Sequence[Merge], parts: Sequence[Parted]) -> dict[str, str]:
    """Id with which something was told -> who that is now, of those who have another one now. What an unmerge said of an id counts more
    than the merge that it took back.
    """
    direct = {one.loser: one.winner for one in merges}
    direct.update((one.part, one.owner) for one in parts if one.part in one.told and one.part != one.owner)
    found: dict[str, str] = {}
    for start, first in direct.items():
        seen, at = {start}, first
        while at in direct and at not in seen:
            seen.add(at)
            at = direct[at]
        found[start] = at
    return found


def know_aliases(connection: Any, merges: Sequence[Merge], parts: Sequence[Parted]) -> None:
    """Let this DuckDB connection know who is who: the table `alias` (told, person, gone_at). gone_at: when he of this id became one with
    somebody, NULL where he was only parted.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE alias (told UUID, person UUID, gone_at TIMESTAMP_MS)")
    now, gone = aliases(merges, parts), {one.loser: one.at for one in merges}
    if now:
        connection.execute(
            "INSERT INTO alias SELECT u.told, u.person, make_timestamp_ms(u.at) FROM (SELECT unnest($1::UUID[]) AS told, "
            "unnest($2::UUID[]) AS person, unnest($3::BIGINT[]) AS at) AS u",
            [list(now), list(now.values()), [gone.get(one) for one in now]],
        )
