"""Words of consent go into the ledger in the transaction in which they find their person."""

from collections.abc import Sequence
from typing import NamedTuple

from runtime.batch import Tx
from runtime.poison import Vault
from schemas.facts import Fact
from services.profile import store
from services.profile.domain import ledger
from services.profile.domain.ledger import Entry


class Word(NamedTuple):
    """A word of consent. partition: of `facts.raw`, in which it was read; home: of the identifier by which it is his; named: of a no that
    somebody else said, his identifiers in it.
    """

    partition: int
    fact: Fact
    profile: str
    home: str
    named: tuple[str, ...] | None = None


class Ledger:
    """Appends words to the chains of their partitions."""

    def __init__(self) -> None:
        self.vault: Vault | None = None

    async def keep(self, tx: Tx, words: Sequence[Word]) -> None:
        assert self.vault is not None, "the ledger needs the installation's secret"
        heads = await store.chains(tx.connection, {word.partition for word in words})
        made: list[Entry] = []
        for word in words:
            number, prev = heads[word.partition]
            sealed = self.vault.seal(ledger.evidence_of(word.fact, word.named), f"consent:{word.fact.id}")
            one = ledger.entry(word.fact, word.profile, word.home, (word.partition, number + 1), prev, sealed)
            heads[word.partition] = (one.number, one.hash)
            made.append(one)
        await store.add(tx.connection, made, heads)
