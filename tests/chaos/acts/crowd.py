"""The people of what is done beside the main stream, and what is told of each. They are nobody of the main stream. Pure."""

from dataclasses import dataclass
from typing import Any

from tests.chaos.customers import BASE, NO, YES
from tests.chaos.stream import Call

Names = tuple[str, ...]


@dataclass(frozen=True)
class Somebody:
    """names: his identifiers, the strongest first; kind: what he is there for; start: the message that began his run, "" for none."""

    names: Names
    kind: str
    start: str = ""

    @property
    def address(self) -> str:
        """Of his mails, "" if he has none."""
        return next((name.partition(":")[2] for name in self.names if name.startswith("email:")), "")

    @property
    def chat(self) -> str:
        return next((name.partition(":")[2] for name in self.names if name.startswith("telegram_id:")), "")


class Crowd:
    """Makes people and what is told of them. Calls that it has made are in the order of their numbers."""

    def __init__(self) -> None:
        self._made = self._people = self._gone = 0

    def call(self, names: Names, event: str, *, attributes: dict[str, Any] | None = None, **properties: Any) -> Call:
        """What the site says of somebody, in the order in which it is made."""
        self._made += 1
        kind = "track" if event else "identify"
        return Call(
            self._made, f"x{self._made}", "site", "live", kind, names, BASE + self._made, attributes or {}, event, properties
        )

    def _names(self, *kinds: str) -> Names:
        self._people += 1
        number = self._people
        self._gone += "gone" in kinds
        known = {
            "user": f"user_id:x{number}",
            "mail": f"email:x{number}@example.org",
            "bounce": f"email:bounce-x{number}@example.org",
            "phone": f"phone:+7936{number:07}",
            "chat": f"telegram_id:{8_000_000 + number}",
            # Thirty of these are there, each a chat in which nobody is: so the fake says.
            "gone": f"telegram_id:7900000{(400, 403, 410)[self._gone % 3]}{self._gone // 3 % 10}",
        }
        return tuple(known[kind] for kind in kinds)

    def audience(self, kind: str) -> tuple[Somebody, list[Call]]:
        """Somebody of the campaign's audience, but for a `stranger`.

        kind: plain, shy (excluded), silent (no consent), refused, unreachable (no mail), bounce or stranger.
        """
        names = self._names("user", {"unreachable": "phone", "bounce": "bounce"}.get(kind, "mail"))
        attributes = {} if kind == "stranger" else {"circle": "spring"}
        if kind == "shy":
            attributes["shy"] = True
        told = [self.call(names, "", attributes=attributes or {"circle": "autumn"})]
        if kind != "silent":
            told.append(self.call(names[:1], YES, channel="email"))
        if kind == "refused":
            told.append(self.call(names[:1], NO, channel="email"))
        return Somebody(names, kind), told

    def begins(self, kind: str, event: str, *names: str) -> tuple[Somebody, list[Call]]:
        """Somebody who is known, agrees to everything, and begins a run. names: kinds of his identifiers."""
        own = self._names("user", *names)
        told = [self.call(own, "", attributes={"circle": "winter"}), self.call(own[:1], YES, channel="*")]
        told.append(self.call(own[:1], event))
        return Somebody(own, kind, told[-1].message), told

    def pair(self) -> tuple[Somebody, Somebody, list[Call]]:
        """Two people, each known by himself."""
        one, other = (Somebody(self._names("user", "mail"), kind) for kind in ("one", "other"))
        told = [self.call(one.names, "", attributes={"circle": "one", "legal_entity": True})]
        told.append(self.call(one.names[:1], YES, channel="email"))
        told.append(self.call(other.names, "", attributes={"circle": "other"}))
        return one, other, [*told, self.call(other.names[:1], YES, channel="email")]
