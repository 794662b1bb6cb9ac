"""Campaigns and their launches for the pure world."""

from typing import Any

from schemas.definitions import Published
from schemas.ids import derive
from schemas.unnamed import condition_key
from services.orchestrator.domain import decide
from services.orchestrator.domain.book import build
from tests.orchestrator.world import T0, World, published

AUDIENCE, EXCLUDE = (condition_key("campaign", "news", 1, part) for part in ("audience", "exclude"))
EVERYBODY = {"kind": "all", "of": []}


def campaign(key: str = "news", **more: Any) -> Published:
    given = {"template": "news"} if "variants" not in more else {}
    return published("campaign", {"key": key, "brand": "shop", "audience": EVERYBODY, **given, **more})


def launch(revision: int = 1, key: str = "news", number: int = 1, **more: Any) -> Published:
    told = {
        "key": derive("launch", key, number), "campaign": key, "brand": "shop", "version": 1, "number": number,
        "start_at": T0, "changed_at": T0, **more,
    }  # fmt: skip
    return published("launch", told, revision)


class Mailing(World):
    """A world with one campaign that is launched: whose turn it is, is said by `turn`."""

    def __init__(self, *documents: Any, news: Published | None = None, **started: Any) -> None:
        self._documents = [news or campaign(), *documents]
        self._revision = 0
        super().__init__(*self._documents)
        self.state(**started)

    def state(self, **told: Any) -> None:
        """What is told of the launch from now on."""
        self._revision += 1
        self.launch = launch(self._revision, **told)
        self.book = build([*self._documents, self.launch])

    @property
    def id(self) -> str:
        return self.launch.key

    def belongs(self, *who: str, zone: str | None = None, **more: Any) -> None:
        """People of the audience."""
        for one in who:
            self.person(one, zone, **more)
            self.membership(one, AUDIENCE)

    def turn(self, *who: str) -> None:
        """The walk has come to them."""
        launched = self.book.launches[self.id]
        for one in who:
            self._take(one, lambda person, state: decide.on_launch(self.book, person, state, launched, self.now))

    def last(self, who: str) -> tuple[str, str]:
        """(verdict, rule) that was told of him last, his letter's exposure aside."""
        told = [d for d in self.decisions if d.profile == who and d.verdict not in ("exposed", "left")]
        return (told[-1].verdict, told[-1].rule) if told else ("", "")
