"""The promo codes of one transaction: locked before it decides, moved with what it decided.

A code is free, or given in the very transaction that saves the run which has it. So none is given twice whoever else takes codes of the
same pool, and none is lost: what a killed process had locked is free again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from runtime import metrics
from runtime.db import Connection
from runtime.poison import Vault
from schemas.promo_pools import spelled
from services.orchestrator.domain.book import Book
from services.orchestrator.domain.codes import Code, Give, Known, Move, Return, Shelf, Use
from services.orchestrator.domain.steps.giving import EMPTY
from services.orchestrator.domain.turn import Outcome

# Others' codes are passed by; but when it seems that there are no more, those who hold the last ones are waited for: they may be killed.
TAKE = """
SELECT number, hash, sealed FROM promo_code
WHERE pool = $1 AND number > $2 AND given_at IS NULL AND used_at IS NULL ORDER BY number LIMIT $3 FOR UPDATE SKIP LOCKED
"""
TAKE_LAST = """
SELECT number, hash, sealed FROM promo_code
WHERE pool = $1 AND number <> ALL($2::bigint[]) AND given_at IS NULL AND used_at IS NULL ORDER BY number LIMIT $3 FOR UPDATE
"""
KNOWN = """
SELECT hash, pool, number, coalesce(given_to::text, '') AS given_to, used_at, used_in
FROM promo_code WHERE hash = ANY($1::bytea[]) ORDER BY number FOR UPDATE
"""
GIVE = """
UPDATE promo_code c SET given_at = u.at, given_to = u.profile, home = u.home, journey = u.journey, step = u.step, occurrence = u.run
FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS u (number, profile, at, home, journey, step, run)
WHERE c.number = u.number AND c.given_at IS NULL AND c.used_at IS NULL
"""
RETURN = """
UPDATE promo_code SET given_at = NULL, given_to = NULL, home = '', journey = '', step = '', occurrence = ''
WHERE number = ANY($1::bigint[]) AND used_at IS NULL
"""
USE = """
UPDATE promo_code c SET used_at = u.at, used_by = u.profile, used_in = u.order_id
FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[]) AS u (number, profile, at, order_id) WHERE c.number = u.number
"""
# Who got it and who used it are two people, each of whom may become another.
MERGE = tuple(
    f"UPDATE promo_code c SET {whose} = u.winner FROM unnest($1::uuid[], $2::uuid[]) AS u (loser, winner) WHERE c.{whose} = u.loser"  # noqa: S608
    for whose in ("given_to", "used_by")
)
PART = "UPDATE promo_code SET given_to = $2 WHERE given_to = $1 AND home = ANY($3::text[])"
ERASE = (
    "UPDATE promo_code SET given_to = NULL, home = '', occurrence = '' WHERE given_to = ANY($1::uuid[])",
    "UPDATE promo_code SET used_by = NULL, used_in = '' WHERE used_by = ANY($1::uuid[])",
)


class Twice(RuntimeError):  # noqa: N818
    """A code was given that is not free. It was locked, so the code is broken, or somebody changed the table by hand."""


def hash_of(vault: Vault, brand: str, code: str) -> bytes:
    """16 bytes by which a code is found without being seen."""
    return vault.blind(f"promo code\x1f{brand}\x1f{spelled(code)}")[:16]


def seal(vault: Vault, hashed: bytes, code: str) -> bytes:
    return vault.seal(code.encode(), f"promo code {hashed.hex()}")


def unseal(vault: Vault, hashed: bytes, sealed: bytes) -> str:
    return vault.open(sealed, f"promo code {hashed.hex()}").decode()


class Stock:
    """Codes locked by one transaction, and what its decisions do with them. A pass of decisions begins with `begin`."""

    def __init__(self, connection: Connection, vault: Vault | None) -> None:
        self._connection, self._vault = connection, vault
        self._fetched: dict[str, list[Code]] = {}
        self._dry: set[str] = set()
        self._known: Mapping[tuple[str, str], Known] | None = None
        self._short: Counter[str] = Counter()
        self._stocked: tuple[Book, Book] | None = None  # the last book, and what was made of it
        self._clear()

    def _clear(self) -> None:
        self._moves: list[Move] = []
        self._passed: list[tuple[str, str, list[str]]] = []  # from, to, of these homes alone
        self._erased: list[str] = []
        self._empty: Counter[str] = Counter()

    async def begin(self, orders: Iterable[tuple[str, str]] = ()) -> None:
        """Forget what was decided before. orders: (brand, coupon) of the news; the people they are about are locked."""
        self._clear()
        self._short.clear()
        if self._known is None:
            self._known = await self._look_up(sorted({(brand, spelled(coupon)) for brand, coupon in orders}))
        self._shelf = Shelf({pool: tuple(codes) for pool, codes in self._fetched.items()}, frozenset(self._dry), self._known)

    async def _look_up(self, names: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Known]:
        if not names:
            return {}
        by_hash = {hash_of(self._secret, *name): name for name in names}
        rows = await self._connection.fetch(KNOWN, list(by_hash))
        return {
            by_hash[row["hash"]]: Known(row["pool"], row["number"], row["given_to"], row["used_at"] is not None, row["used_in"])
            for row in rows
        }

    @property
    def _secret(self) -> Vault:
        assert self._vault is not None, "promo codes and check-in codes need the installation's secret"
        return self._vault

    def token(self, name: str) -> str:
        """What only we can make of a name (`Vault.token`)."""
        return self._secret.token(name)

    # ---- while it is decided

    def stocked(self, book: Book) -> Book:
        """The book with what can be given now."""
        shelf = self._shelf
        if not (shelf.ready or shelf.known or shelf.dry):
            return book
        if self._stocked is None or self._stocked[0] is not book or self._stocked[1].shelf is not shelf:
            self._stocked = book, replace(book, shelf=shelf)
        return self._stocked[1]

    def took(self, outcome: Outcome) -> None:
        self._short.update(outcome.short)
        if outcome.moves:
            self._moves += outcome.moves
            self._shelf = self._shelf.after(outcome.moves)
        for decision in outcome.decisions:
            if decision.rule == EMPTY:
                self._empty[decision.detail["pool"]] += 1

    def merged(self, winner: str, loser: str) -> None:
        self._passed.append((loser, winner, []))

    def parted(self, source: str, other: str, homes: Iterable[str]) -> None:
        if found := sorted(homes):
            self._passed.append((source, other, found))

    def erased(self, people: Iterable[str]) -> None:
        self._erased += people

    # ---- after it

    async def more(self) -> bool:
        """Whether decisions found too few: then more are here, or the pool is known to have none, and they are to be made again."""
        wanted, self._short = self._short, Counter()
        for pool, count in sorted(wanted.items()):
            held = self._fetched.setdefault(pool, [])
            found = await self._take(TAKE, pool, max((code.number for code in held), default=0), count)
            if len(found) < count:
                found += await self._take(TAKE_LAST, pool, [code.number for code in (*held, *found)], count - len(found))
            if len(found) < count:
                self._dry.add(pool)
            held += found
        return bool(wanted)

    async def _take(self, query: str, pool: str, beside: int | list[int], count: int) -> list[Code]:
        rows = await self._connection.fetch(query, pool, beside, count)
        return [Code(row["number"], unseal(self._secret, row["hash"], row["sealed"])) for row in rows]

    async def save(self, canonical: Callable[[str], str]) -> None:
        """Write what was decided. canonical: whom an id means now."""
        await self._give([move for move in self._moves if isinstance(move, Give)])
        await self._pass_on(canonical)
        if used := [(move.number, move.profile, move.at, move.order) for move in self._moves if isinstance(move, Use)]:
            await self._connection.execute(USE, *map(list, zip(*used, strict=True)))
        if returned := [move.number for move in self._moves if isinstance(move, Return)]:
            await self._connection.execute(RETURN, returned)  # what is used by now stays as it is
        if self._erased:
            for query in ERASE:
                await self._connection.execute(query, self._erased)
        for pool, count in self._empty.items():
            metrics.promo_empty.labels(pool).inc(count)

    async def _give(self, given: Sequence[Give]) -> None:
        if not given:
            return
        answer = await self._connection.execute(GIVE, *map(list, zip(*given, strict=True)))
        if int(answer.rsplit(" ", 1)[1]) != len(given):
            raise Twice(f"{len(given)} promo codes were to be given, and not all of them are free")

    async def _pass_on(self, canonical: Callable[[str], str]) -> None:
        """The codes of people who became one, or were parted. Where both happened, in their order."""
        if not any(homes for *_, homes in self._passed):
            if self._passed:
                losers = sorted({loser for loser, _, _ in self._passed})
                await self._merge(losers, [canonical(loser) for loser in losers])
            return
        for source, other, homes in self._passed:
            if homes:
                await self._connection.execute(PART, source, other, homes)
            else:
                await self._merge([source], [other])

    async def _merge(self, losers: Sequence[str], winners: Sequence[str]) -> None:
        for query in MERGE:
            await self._connection.execute(query, losers, winners)
