"""Pieces of history and whose they are. Persons are numbers: that of the piece that a person's own id names.

A piece is what was told of one profile, and of one that an unmerge was about, with one home (docs/adr/0012): merges move pieces and
rewrite no fact. `apart` are the profiles whose facts are told apart by home; they were read again when they became that. `owner` is NULL of those who were erased: nothing of theirs is kept. `shared` has all pieces of people who have several.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runtime import parted
from runtime.parted import Parted
from schemas.facts import PROFILE_MERGED
from services.audience.domain.whose import Merge, joined

TABLES = """
CREATE TABLE piece (n INTEGER, profile UUID, home UUID, owner INTEGER);
CREATE TABLE shared (person INTEGER, owner INTEGER);
CREATE TABLE seen (person INTEGER, brand VARCHAR);
CREATE TABLE apart (profile UUID);
"""
# The own piece of each profile first: others of his are whose it is.
OWN = """
INSERT INTO piece SELECT n, profile, profile, n FROM (
    SELECT (SELECT coalesce(max(n) + 1, 0) FROM piece) + (row_number() OVER (ORDER BY profile) - 1)::INTEGER AS n, profile
    FROM (SELECT DISTINCT profile FROM {of}) AS t ANTI JOIN piece USING (profile)
)
"""
HOMES = """
INSERT INTO piece SELECT (SELECT max(n) + 1 FROM piece) + (row_number() OVER (ORDER BY t.profile, t.home) - 1)::INTEGER, t.profile, t.home, own.owner
FROM (SELECT DISTINCT profile, home FROM fresh WHERE home <> profile) AS t
JOIN piece own ON own.profile = t.profile AND own.home = t.profile
WHERE NOT EXISTS (FROM piece p WHERE p.profile = t.profile AND p.home = t.home)
"""
NUMBERS = """
CREATE OR REPLACE TEMP TABLE numbers AS SELECT t.profile, t.home, p.n, coalesce(c.received, 0) AS cut
FROM (SELECT DISTINCT profile, home FROM fresh) AS t JOIN piece p ON p.profile = t.profile AND p.home = t.home
LEFT JOIN (SELECT profile, max(received) AS received FROM cut GROUP BY profile) c ON c.profile = t.profile
WHERE p.owner IS NOT NULL
"""
SEEN = """
INSERT INTO seen SELECT DISTINCT n AS person, brand FROM fresh JOIN numbers USING (profile, home) EXCEPT SELECT person, brand FROM seen
"""
SHARED = """
CREATE OR REPLACE TABLE shared AS SELECT n AS person, owner FROM piece
WHERE owner IN (SELECT owner FROM piece WHERE owner IS NOT NULL GROUP BY owner HAVING count(*) > 1)
"""
MOVE = "UPDATE piece SET owner = m.owner FROM moves m WHERE piece.owner = m.was"


def admit(duck: Any) -> bool:
    """Numbers for all of whom the fresh facts are, and in which brands they were seen. Whether any of that is new."""
    known = duck.execute(OWN.format(of="fresh")).fetchall()[0][0] + duck.execute(HOMES).fetchall()[0][0]
    duck.execute(NUMBERS)
    return bool(known + duck.execute(SEEN).fetchall()[0][0])


def newly_apart(duck: Any, parts: Sequence[Parted]) -> list[str]:
    """Profiles that unmerges are about and whose facts are not told apart by home yet: they are from here on."""
    about = sorted({person for one in parts for person in (*one.told, one.part)})
    if not about:
        return []
    fresh = duck.execute(
        "SELECT p::VARCHAR FROM (SELECT unnest($1::UUID[]) AS p) WHERE p NOT IN (SELECT profile FROM apart)", [about]
    ).fetchall()
    duck.execute("INSERT INTO apart SELECT unnest($1::UUID[])", [[row[0] for row in fresh]])
    return [row[0] for row in fresh]


def pieces_of(duck: Any, profiles: Sequence[str]) -> list[int]:
    """All pieces of these profiles."""
    rows = duck.execute("SELECT n FROM piece WHERE profile IN (SELECT unnest($1::UUID[]))", [list(profiles)]).fetchall()
    return [row[0] for row in rows]


def settle(duck: Any, merges: Sequence[tuple[str, str]], parts: Sequence[Parted], erased: Sequence[str]) -> list[int]:
    """Whose each piece is after these merges (winner, loser), all unmerges and all erasures. The pieces of those who are erased now."""
    _merge(duck, merges)
    _part(duck, parts)
    gone = _erase(duck, erased)
    duck.execute(SHARED)
    return gone


def merges_of(duck: Any) -> list[tuple[str, str]]:
    """(winner, loser) of what the fresh facts tell of merges."""
    there = {row[0] for row in duck.execute("DESCRIBE fresh").fetchall()}
    if not {"p_s_winner", "p_s_loser"} <= there:
        return []
    query = "SELECT p_s_winner, p_s_loser FROM fresh WHERE type = ? ORDER BY received_at, kafka_partition, kafka_offset"
    return [row for row in duck.execute(query, [PROFILE_MERGED]).fetchall() if all(row)]


def _merge(duck: Any, merges: Sequence[tuple[str, str]]) -> None:
    if not merges:
        return
    own = numbers_of(duck, {person for pair in merges for person in pair})
    known = [Merge(own[w][0], own[loser][0]) for w, loser in merges if own[w][1] is not None and own[loser][1] is not None]
    roots = {n: owner for n, owner in own.values() if owner is not None}
    _move(duck, joined(known, roots))


def _move(duck: Any, moves: Mapping[int, int]) -> None:
    if moves:
        duck.execute("CREATE OR REPLACE TEMP TABLE moves AS SELECT unnest($1::INTEGER[]) AS was, unnest($2::INTEGER[]) AS owner",
                     [list(moves), list(moves.values())])  # fmt: skip
        duck.execute(MOVE)


def _part(duck: Any, parts: Sequence[Parted]) -> None:
    """Each piece that an unmerge is about goes to whom its home says. Twice: whose a part is may hang on another unmerge."""
    if not parts:
        return
    rows = {one.part: one for one in parts}
    told = sorted({person for one in parts for person in (*one.told, one.part)})
    numbers_of(duck, {one.owner for one in parts})
    pieces = duck.execute(
        "SELECT n, profile::VARCHAR, home::VARCHAR FROM piece WHERE profile IN (SELECT unnest($1::UUID[]))", [told]
    )
    wanted = {n: whose for n, profile, home in pieces.fetchall() if (whose := parted.owner(profile, home, rows)) != profile}
    for _ in range(2):
        owners = numbers_of(duck, set(wanted.values()))
        moved = [(n, owners[whose][1]) for n, whose in wanted.items()]
        if moved:
            duck.execute("CREATE OR REPLACE TEMP TABLE moves AS SELECT unnest($1::INTEGER[]) AS n, unnest($2::INTEGER[]) AS owner",
                         [[n for n, _ in moved], [owner for _, owner in moved]])  # fmt: skip
            duck.execute("UPDATE piece SET owner = m.owner FROM moves m WHERE piece.n = m.n AND piece.owner IS NOT NULL")


def _erase(duck: Any, erased: Sequence[str]) -> list[int]:
    """Pieces of those who are erased. What was theirs before an unmerge is not: it is whose it is now."""
    if not erased:
        return []
    gone = duck.execute(
        "SELECT p.n FROM piece p JOIN piece own ON own.n = p.owner WHERE own.profile IN (SELECT unnest($1::UUID[]))",
        [list(erased)],
    ).fetchall()
    numbers = [row[0] for row in gone]
    if numbers:
        duck.execute("UPDATE piece SET owner = NULL WHERE n IN (SELECT unnest($1::INTEGER[]))", [numbers])
    return numbers


def numbers_of(duck: Any, people: Iterable[str]) -> dict[str, tuple[int, int | None]]:
    """Profile id -> (number of his own piece, whose that is). Who is not known yet is known from here on."""
    asked = sorted(people)
    duck.execute("CREATE OR REPLACE TEMP TABLE named AS SELECT unnest($1::UUID[]) AS profile", [asked])
    duck.execute(OWN.format(of="named"))
    query = "SELECT profile::VARCHAR, n, owner FROM piece SEMI JOIN named USING (profile) WHERE home = profile"
    return {profile: (n, owner) for profile, n, owner in duck.execute(query).fetchall()}
