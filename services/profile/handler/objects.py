"""Companies and deals in the transaction of the batch that tells of them: locked, decided about in memory, saved; and their people told.

Locks come after those of identifiers and profiles, in one order for everybody: companies and deals by id, then people by id. What a
person is to know of his company and deals goes back into `facts.raw` as a fact about him, and takes the way of all facts from there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from runtime.batch import Emit, Item, Tx
from runtime.db import Again
from schemas import accounts as words
from schemas import attributes, charges
from schemas.facts import Fact, encode
from schemas.ids import derive
from schemas.topics import FACTS_RAW, FACTS_RAW_BULK
from services.profile import store
from services.profile.domain import accounts, deals
from services.profile.domain.accounts import Account
from services.profile.domain.deals import Deal
from services.profile.store import Affiliate, Belonging

MOST_TOLD = 1_000  # members of a company, or people of a deal, who are told of it at once; of a larger one whom a fact names
MOST_ECHOED = 100  # members who are told what a colleague did; of a larger company nobody
CHANGED = "belonging.changed"

WORDS = frozenset(("group", words.ACCOUNT_LEFT, words.DEAL_UPDATED))  # of facts that say something of a company or a deal

Pair = tuple[str, str]  # object, profile


class Heard(NamedTuple):
    """A fact about a company or a deal. owner: whose it is."""

    item: Item
    fact: Fact
    owner: str


class Merge(NamedTuple):
    """Two people who are one by a fact of the batch."""

    item: Item
    fact: Fact
    loser: str
    winner: str


def tells(fact: Fact) -> bool:
    """Does it say anything of a company or a deal that is kept?"""
    name = fact.event or fact.type
    return name in WORDS and words.flaw_of(name, fact.properties) is None


def echoes(fact: Fact) -> bool:
    """Is it something done for a company, which its other members are told of?"""
    return fact.type == "track" and fact.about is None and not charges.is_charge(fact) and _group(fact) is not None


def _group(fact: Fact) -> str | None:
    return words.account_key({"group_id": fact.context.get("groupId")}) if "groupId" in fact.context else None


async def keep(tx: Tx, heard: Sequence[Heard], merges: Sequence[Merge]) -> list[Emit]:
    """What the batch says of companies and deals, and what follows from people becoming one. Answers what their people are told."""
    emits = await _echo(tx, [one for one in heard if echoes(one.fact)])
    told = [one for one in heard if tells(one.fact)]
    losers = {merge.loser for merge in merges}
    gone = await store.affiliated(tx.connection, losers) if losers else set()
    if told or gone:
        moved = [merge for merge in merges if merge.loser in gone]
        desk = await _opened(tx, told, moved)
        emits += desk.decide(told, moved)
        await desk.save()
    return emits


async def _echo(tx: Tx, heard: Sequence[Heard]) -> list[Emit]:
    """What somebody did for his company, as a fact of each other member: of the type `account`, with the company's word before its name."""
    if not heard:
        return []
    ids = {accounts.account_id(_group(one.fact) or "") for one in heard}
    around = await store.belongers(tx.connection, ids, MOST_ECHOED)
    everybody = {person for people in around.values() for person in people}
    now = {(one.object, one.profile) for one in await store.belongings(tx.connection, everybody) if accounts.is_member(one.state)}
    emits = []
    for item, fact, owner in heard:
        key = _group(fact) or ""
        id_ = accounts.account_id(key)
        for person in around.get(id_, ()):
            if person != owner and (id_, person) in now:
                said = {"type": "account", "event": f"{words.OF_ACCOUNT}{fact.event}", "occurred_at": fact.occurred_at}
                emits.append(_about(tx, item, fact, person, properties={**fact.properties, "group_id": key}, **said))
    return emits


def _about(tx: Tx, item: Item, fact: Fact, person: str, *of: str, **more: Any) -> Emit:
    """A fact about a person that follows from another one. of: tells it from others of its name that the same fact causes."""
    named = more.get("event") or more["type"]
    made = Fact(
        id=derive(fact.id, named, person, *of),
        brand=fact.brand,
        source=fact.source,
        lane=fact.lane,
        received_at=max(fact.received_at, more["occurred_at"]),
        cause=fact.id,
        about=person,
        **more,
    )
    topic = FACTS_RAW if item.place[0] == FACTS_RAW.name else FACTS_RAW_BULK
    return Emit(topic.name, f"profile|{person}", encode(made), tx.at(item), named)


async def _opened(tx: Tx, told: Sequence[Heard], moved: Sequence[Merge]) -> "_Desk":
    """Lock all that the facts touch, and whom they are to be told to."""
    wanted: dict[str, Account | Deal] = {}
    for one in told:
        wanted.update(_named(one.fact))
    before = await store.objects(tx.connection, (id_ for id_, thing in wanted.items() if isinstance(thing, Deal)))
    for thing in before.values():
        wanted = {**_accounts_of(thing), **wanted}
    held = await store.lock_objects(tx.connection, wanted) if wanted else {}
    if any(not _accounts_of(thing).keys() <= held.keys() for thing in held.values()):
        raise Again("a deal went to another company between reading and locking")
    named = {one.owner for one in told} | {merge.winner for merge in moved}
    around = await store.belongers(tx.connection, held, MOST_TOLD)
    people = named | {merge.loser for merge in moved} | {person for some in around.values() for person in some}
    affiliates = await store.lock_affiliates(tx.connection, people, named)
    around = await store.belongers(tx.connection, held, MOST_TOLD)
    if not {person for some in around.values() for person in some} <= affiliates.keys():
        raise Again("somebody came to a company between reading and locking")
    belongings = await store.belongings(tx.connection, affiliates)
    others = await store.objects(tx.connection, {one.object for one in belongings} - held.keys())
    return _Desk(tx, held, others, affiliates, belongings, around)


def _named(fact: Fact) -> dict[str, Account | Deal]:
    """The objects that a fact names, as they would be made."""
    if (fact.event or fact.type) != words.DEAL_UPDATED:
        return _account(words.account_key(fact.properties), fact.received_at)
    key = words.deal_key(fact.properties) or ""
    deal = {deals.deal_id(fact.brand, fact.source, key): Deal(fact.brand, fact.source, key)}
    return {**deal, **_account(words.account_key({"group_id": fact.properties.get("account")}), fact.received_at)}


def _account(key: str | None, at: int = 2**62) -> dict[str, Account | Deal]:
    return {accounts.account_id(key): Account(key, at)} if key is not None else {}


def _accounts_of(thing: Account | Deal) -> dict[str, Account | Deal]:
    """The company of a deal."""
    return _account(words.account_key({"group_id": deals.now(thing).get("account")})) if isinstance(thing, Deal) else {}


class _Desk:
    """Companies, deals and people of one batch. held: locked; others: what their people belong to besides."""

    def __init__(
        self,
        tx: Tx,
        held: dict[str, Account | Deal],
        others: Mapping[str, Account | Deal],
        affiliates: Mapping[str, Affiliate],
        belongings: Iterable[Belonging],
        around: Mapping[str, Sequence[str]],
    ) -> None:
        self._tx, self._held, self._affiliates = tx, held, affiliates
        self._all = {**others, **held}
        self._states: dict[str, dict[str, Any]] = {}  # of a person, by object
        for one in belongings:
            self._states.setdefault(one.profile, {})[one.object] = one.state
        self._around = {id_: dict.fromkeys(people) for id_, people in around.items()}
        self._changed: dict[Pair, Any] = {}
        self._moved: dict[str, list[str]] = {}  # winner -> losers
        self._told: dict[str, Affiliate] = {}
        self._because: dict[str, tuple[Item, Fact]] = {}

    def decide(self, told: Sequence[Heard], moved: Sequence[Merge]) -> list[Emit]:
        for merge in moved:
            self._merge(merge)
        emits: list[Emit] = []
        for item, fact, owner in told:
            if (fact.event or fact.type) == words.DEAL_UPDATED:
                emits += self._deal(item, fact, owner)
            else:
                self._account(item, fact, owner)
        for person in sorted(self._because):
            emits += self._tell(person)
        return emits

    def _merge(self, merge: Merge) -> None:
        """What was the loser's is the winner's; of a company that was both's, what was said last counts."""
        self._moved.setdefault(merge.winner, []).append(merge.loser)
        for id_, state in self._states.pop(merge.loser, {}).items():
            self._put((id_, merge.winner), dict(attributes.merge(self._state(id_, merge.winner), state)[0]))
            self._changed.pop((id_, merge.loser), None)
            self._around.get(id_, {}).pop(merge.loser, None)
        self._because[merge.winner] = merge.item, merge.fact
        self._because.pop(merge.loser, None)

    def _state(self, id_: str, person: str) -> Any:
        return self._states.get(person, {}).get(id_, {})

    def _put(self, pair: Pair, state: Any) -> None:
        self._states.setdefault(pair[1], {})[pair[0]] = self._changed[pair] = state
        self._around.setdefault(pair[0], {})[pair[1]] = None

    def _account(self, item: Item, fact: Fact, owner: str) -> None:
        (id_,) = _named(fact)
        account = self._held[id_]
        assert isinstance(account, Account)
        stays = fact.type == "group"
        accounts.noticed(account, fact)
        if stays:
            accounts.hear(account, fact)
        state = accounts.belong(account, self._state(id_, owner), fact, owner, stays=stays)
        self._put((id_, owner), state)
        self._concern(id_, item, fact)

    def _deal(self, item: Item, fact: Fact, owner: str) -> list[Emit]:
        (id_, deal) = next((id_, self._held[id_]) for id_, thing in _named(fact).items() if isinstance(thing, Deal))
        assert isinstance(deal, Deal)
        before = _accounts_of(deal)
        news = deals.update(deal, fact)
        after = _accounts_of(deal)
        for account_id in {**before, **after}:
            account = self._held[account_id]
            assert isinstance(account, Account)
            account.deals.pop(id_, None)
            if account_id in after:
                accounts.noticed(account, fact)
                account.deals[id_] = deals.brief(deal)
                account.deals = dict(sorted(account.deals.items(), key=lambda one: one[1]["at"])[-deals.MOST_LISTED :])
            self._concern(account_id, item, fact)
        self._put((id_, owner), {"named": (fact.occurred_at, True)})
        self._concern(id_, item, fact)
        return [emit for one in news for emit in self._news(item, fact, deal, one, self._people_of(id_, after))]

    def _people_of(self, deal: str, of: Iterable[str]) -> dict[str, str]:
        """Who is told of a deal: person -> why."""
        members = {p: "account" for id_ in of for p in self._around.get(id_, ()) if accounts.is_member(self._state(id_, p))}
        return {**members, **dict.fromkeys(self._around.get(deal, ()), "person")}

    def _news(self, item: Item, fact: Fact, deal: Deal, news: deals.Told, people: Mapping[str, str]) -> Iterable[Emit]:
        said = {**news.state, "deal_id": deal.key, "previous_stage": news.previous}
        for person, why in sorted(people.items()):
            properties = {name: value for name, value in {**said, "of": why}.items() if value is not None}
            yield _about(
                self._tx, item, fact, person, news.fact,
                type="track", event=news.event, occurred_at=news.at, properties=properties,
            )  # fmt: skip

    def _concern(self, id_: str, item: Item, fact: Fact) -> None:
        for person in self._around.get(id_, ()):
            self._because[person] = item, fact

    def _tell(self, person: str) -> list[Emit]:
        """Tell a person what has become another thing of what he belongs to, under an instant after the one of before."""
        item, fact = self._because[person]
        seen, at = self._seen(self._states.get(person, {}))
        were = (person, *self._moved.get(person, ()))
        was = [self._affiliates[one] for one in were if one in self._affiliates]
        before: dict[str, Any] = msgspec.json.decode(was[0].told)
        # Of two who have become one the profile keeps what was said later: he is told anew.
        changed = {name: value for name, value in seen.items() if len(was) > 1 or before.get(name) != value}
        if not changed:
            return []
        told_at = max(at, *(one.told_at + 1 for one in was))
        self._told[person] = Affiliate(told_at, attributes.canonical(seen))
        return [_about(self._tx, item, fact, person, type=CHANGED, occurred_at=told_at, attributes=changed)]

    def _seen(self, mine: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        """The attributes of a person that tell of his company and deals, and when the last of that was said (ms)."""
        things = [(self._all[id_], state) for id_, state in mine.items()]
        own = [thing for thing, _ in things if isinstance(thing, Deal)]
        memberships = [(thing, state) for thing, state in things if isinstance(thing, Account)]
        best = accounts.current(memberships)
        account = accounts.seen_by_member(*best, deals.summary(best[0].deals.values())) if best else None
        moments = [deals.moved_at(deal) for deal in own] + [accounts.moved_at(*one) for one in memberships]
        return {"account": account, "deals": deals.summary(map(deals.brief, own)) or None}, max(moments, default=0)

    async def save(self) -> None:
        connection = self._tx.connection
        if self._held:
            await store.save_objects(connection, self._held)
        if self._changed:
            await store.keep_belongings(connection, [Belonging(*pair, state) for pair, state in self._changed.items()])
        if self._moved:
            await store.forget_affiliates(connection, [loser for losers in self._moved.values() for loser in losers])
        if self._told:
            await store.save_told(connection, self._told)
