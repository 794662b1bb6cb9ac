"""The properties, attributes and context of a batch of facts, sorted into columns. Pure, and the hottest code of the service."""

from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

from schemas.consents import EVENTS
from schemas.facts import PROFILE_CHANGED, Seq
from schemas.paths import escaped
from services.warehouse.domain.names import NOTHING, PRIVATE, Held, Key, ad_of, held_by, without

DEEP = 4  # objects within objects become columns down to here; below, they stay whole in `rest`
KINDS: Mapping[type, str] = {str: "string", int: "int", float: "float", bool: "bool", type(None): "null"}


class Page(TypedDict, total=False):
    """Where it happened. What stands behind the question mark may be anything: of search and url only an advertiser's mark is kept."""

    path: Any
    referrer: Any
    search: Any
    url: Any


class Context(TypedDict, total=False):
    """What reports want to know of a fact's context. The rest is technical, or says who the person is: it is not even decoded."""

    campaign: Any
    page: Page | list[Any] | str | int | float | bool | None
    app: Any
    os: Any
    locale: Any
    timezone: Any


class Stored(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`schemas.facts.Fact` as far as the lake keeps it. gc=False: a batch makes many and none is in a cycle."""

    id: str
    type: str
    brand: str
    source: str
    occurred_at: int
    received_at: int
    identifiers: tuple[str, ...] = ()
    contested: tuple[str, ...] = ()
    lane: str = "live"
    event: str = ""
    attributes: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    context: Context = {}
    cause: str | None = None
    profile: str | None = None
    home: str | None = None
    bucketing_id: str | None = None
    bucketed_at: int | None = None
    ruled: tuple[str, ...] = ()
    src: str | None = None
    seq: Seq | None = None


def marked(fact: Stored) -> Mapping[str, Any]:
    """The context as the lake keeps it: a campaign's name as `utm_campaign`, as `name` is a person's elsewhere; and as `ad`, which
    advertiser's click id stood in the page's address, which is not kept. An `ad` that the site tells itself says nothing of that.
    """
    page, properties = fact.context.get("page"), fact.properties
    told = page if isinstance(page, dict) else {}
    ad = ad_of(told.get("search"), told.get("url"))
    if ad is None and fact.type == "page":
        ad = ad_of(properties.get("search"), properties.get("url"))
    campaign = fact.context.get("campaign")
    other = isinstance(campaign, dict) and ("name" in campaign or "ad" in campaign)
    if ad is None and not other and "search" not in told and "url" not in told:
        return fact.context
    found: dict[str, Any] = dict(fact.context)
    if told:
        found["page"] = {key: value for key, value in told.items() if key not in ("search", "url")}
    if ad is not None or other:
        tags = dict(campaign) if isinstance(campaign, dict) else {}
        tags.pop("ad", None)
        if "name" in tags:
            tags["utm_campaign"] = tags.pop("name")
        if ad is not None:
            tags["ad"] = ad
        found["campaign"] = tags
        if not tags:
            del found["campaign"]
    return found


class Cells:
    """The values of one column that are there, and the rows they stand in."""

    __slots__ = ("rows", "values")

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.values: list[Any] = []


class _Name:
    """One name below a prefix: the columns of its values by their type, and the names within it."""

    __slots__ = ("cells", "inner", "path", "private")

    def __init__(self, path: str, private: bool) -> None:
        self.path, self.private = path, private
        self.cells: dict[type, Cells] = {}
        self.inner: dict[str, _Name] = {}


Tree = dict[str, _Name]


class Walk:
    """Collects cells by event, scope and path. rest: row -> scope -> path -> what has no column."""

    def __init__(self) -> None:
        self.rest: dict[int, dict[str, Any]] = {}
        self._trees: dict[tuple[str, str], Tree] = {}
        self._row = 0
        self._scope = ""
        self._held: Held = NOTHING

    def fact(self, row: int, fact: Stored) -> None:
        name = fact.event or fact.type
        self._row, self._held = row, held_by(fact.identifiers + fact.contested)
        if fact.properties:
            self._enter(name, "properties", fact.properties)
        if fact.attributes:
            said = fact.attributes
            if fact.type == PROFILE_CHANGED:
                # name -> [at, value], and the instant of news is the fact's own. A list stays in its pair, or it might be taken for one.
                said = {
                    n: pair[1] if pair[0] == fact.occurred_at and type(pair[1]) is not list else pair for n, pair in said.items()
                }
            self._enter(name, "attributes", said)
        if context := marked(fact):
            self._enter(name, "context", context)
        if fact.event in EVENTS and (evidence := fact.properties.get("evidence")) and isinstance(evidence, dict):
            self.rest.setdefault(row, {})["proven"] = True  # that there is some; what it says is personal
        if fact.ruled:
            self.rest.setdefault(row, {})["ruled"] = list(fact.ruled)
        if fact.bucketing_id is not None:
            self.rest.setdefault(row, {})["bucketing"] = [fact.bucketed_at or 0, fact.bucketing_id]

    def _enter(self, event: str, scope: str, values: Mapping[str, Any]) -> None:
        tree = self._trees.get((event, scope))
        if tree is None:
            tree = self._trees[event, scope] = {}
        self._scope = scope
        self._object(tree, "", values, 1)

    def _object(self, tree: Tree, prefix: str, values: Mapping[str, Any], depth: int) -> None:
        row, held = self._row, self._held
        for name, value in values.items():
            known = tree.get(name)
            if known is None:
                known = tree[name] = _Name(prefix + escaped(name), name in PRIVATE)
            if known.private:
                continue
            kind = type(value)
            if kind is str:
                if held is not NOTHING and held.told_by(value):
                    continue
            elif kind is dict and value and depth < DEEP:
                self._object(known.inner, known.path + ".", value, depth + 1)
                continue
            elif kind is list or (kind is dict and value):
                self.rest.setdefault(row, {}).setdefault(self._scope, {})[known.path] = without(value, held)
                continue
            cells = known.cells.get(kind)
            if cells is None:
                cells = known.cells[kind] = Cells()
            cells.rows.append(row)
            cells.values.append(value)

    def cells(self) -> dict[Key, Cells]:
        """Every column that has values."""
        found: dict[Key, Cells] = {}
        for (event, scope), tree in self._trees.items():
            _gather(tree, event, scope, found)
        return {key: cells for key, cells in found.items() if cells.rows}


def _gather(tree: Tree, event: str, scope: str, found: dict[Key, Cells]) -> None:
    for name in tree.values():
        for kind, cells in name.cells.items():
            key = Key(event, scope, name.path, KINDS.get(kind, "object"))
            found[key] = cells
            if key.kind in ("null", "object"):
                cells.values = [True] * len(cells.rows)
            elif kind is int and not (min(cells.values) >= -(2**63) and max(cells.values) < 2**63):
                found[key], found[key._replace(kind="big")] = _apart(cells)
        _gather(name.inner, event, scope, found)


def _apart(cells: Cells) -> tuple[Cells, Cells]:
    """Integers that fit in 64 bits (there may be none), and the others as texts."""
    big, small = Cells(), Cells()
    for row, value in zip(cells.rows, cells.values, strict=True):
        fits = -(2**63) <= value < 2**63
        into = small if fits else big
        into.rows.append(row)
        into.values.append(value if fits else str(value))
    return small, big
