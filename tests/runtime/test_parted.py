"""Whose a fact is after unmerges: what was told of one belongs by its home to another."""

import pytest

from runtime import parted
from schemas.facts import Split, SplitPart
from schemas.ids import derive

P, N, M, X, OLD, HOME, FAR, STAYS = (derive("id", name) for name in ("p", "n", "m", "x", "o", "home", "far", "stays"))
FIRST = Split(act="a", parts=(SplitPart(profile=N, homes=(OLD, HOME, FAR), others=(OLD,)),), stay=())


def rows(*splits: tuple[str, Split]) -> dict[str, parted.Parted]:
    return {row.part: row for person, split in splits for row in parted.parted_by(person, split)}


@pytest.mark.parametrize(
    ("profile", "home", "owner"),
    [(P, None, P), (P, HOME, N), (P, STAYS, P), (OLD, None, N), (OLD, HOME, N), (OLD, STAYS, P), (X, HOME, X), (N, None, N)],
)
def test_a_fact_is_his_whose_home_it_has(profile, home, owner):
    assert parted.owner(profile, home, rows((P, FIRST))) == owner


async def test_the_later_split_rules_in_whatever_order_they_come(database):
    """N became one with X, and was parted from him without one of his homes."""
    import asyncpg

    second = Split(act="b", parts=(SplitPart(profile=M, homes=(N, HOME), others=(N,)),), stay=())
    connection = await asyncpg.connect(database)
    try:
        for order in ((0, 1), (1, 0)):
            await connection.execute("DROP TABLE IF EXISTS parted")
            await connection.execute(parted.TABLE)
            acts = [(P, FIRST, 1000), (X, second, 2000)]
            for which in order:
                await parted.learn(connection, *acts[which])
            known = await parted.known(connection, [P, N, X, OLD, HOME, FAR, STAYS])
            assert parted.owner(P, HOME, known) == parted.owner(N, HOME, known) == M
            assert parted.owner(N, None, known) == M
            assert parted.owner(OLD, None, known) == parted.owner(P, FAR, known) == parted.owner(N, FAR, known) == X
            assert sorted(row.part for row in await parted.everything(connection)) == sorted([OLD, HOME, FAR, N])
    finally:
        await connection.close()
