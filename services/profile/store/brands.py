"""In which brands people were seen."""

from collections.abc import Collection, Mapping

from runtime.db import Connection

REMEMBERED = 500_000  # pairs that this process has written and need not be asked about again

SEEN_IN = """
INSERT INTO profile_brand (profile, brand) SELECT * FROM unnest($1::uuid[], $2::text[]) ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
INHERIT = """
INSERT INTO profile_brand (profile, brand)
SELECT u.winner, b.brand FROM unnest($1::uuid[], $2::uuid[]) AS u (loser, winner) JOIN profile_brand b ON b.profile = u.loser
ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
BRANDS = "SELECT brand FROM profile_brand WHERE profile = $1::uuid ORDER BY brand"

Pair = tuple[str, str]  # profile, brand


class Brands:
    """Writes who was seen in which brand. Nearly every fact tells what is known: that is remembered, once it is committed."""

    def __init__(self) -> None:
        self._known: set[Pair] = set()
        self._writing: set[Pair] = set()

    def begin(self) -> None:
        """A batch begins; the one of before may have been rolled back."""
        self._writing.clear()

    async def keep(self, connection: Connection, pairs: Collection[Pair]) -> None:
        new = sorted(set(pairs) - self._known)
        if new:
            await connection.execute(SEEN_IN, [profile for profile, _ in new], [brand for _, brand in new])
            self._writing.update(new)

    def committed(self) -> None:
        if len(self._known) + len(self._writing) > REMEMBERED:
            self._known.clear()
        self._known |= self._writing
        self._writing.clear()


async def inherit_brands(connection: Connection, moved: Mapping[str, str]) -> None:
    """Who became one with another was seen where that one was. moved: loser -> winner."""
    losers = sorted(moved)
    await connection.execute(INHERIT, losers, [moved[loser] for loser in losers])


async def brands_of(connection: Connection, person: str) -> list[str]:
    """The brands in which a canonical profile was seen."""
    return [row["brand"] for row in await connection.fetch(BRANDS, person)]
