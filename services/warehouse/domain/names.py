"""Names: what is private, what may have a column, what a folder is called."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from schemas.facts import IDENTIFIER_KINDS, PERSONAL

# Names under which personal data or identifiers stand, at any depth. The lake must not know them (DESIGN 5, erasure).
PRIVATE = PERSONAL | frozenset(IDENTIFIER_KINDS) | {"userId", "anonymousId"}
LONG = 200  # characters of a name of an event or of a path: longer ones get neither columns nor folders
MAX_COLUMNS = 200  # of one event: what comes later stays in `rest`. Raising it needs a rewrite of the lake.
_NUMBERS = ("int", "float", "big")
_FOLDER = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_SHORTEST = 7  # characters of an address or number: shorter ones stand in other texts by chance


# Parameters by which an advertiser knows a click again.
CLICK_IDS = re.compile(r"[?&](gclid|wbraid|gbraid|dclid|yclid|ysclid|fbclid|msclkid|ttclid|rb_clickid)=")


class Key(NamedTuple):
    """One property of one event in one kind. event: the event's name, or the fact's type where it has none."""

    event: str
    scope: str
    path: str
    kind: str


class Sight(NamedTuple):
    """A name without a column: of an event (scope and path ""), or of a list."""

    event: str
    scope: str = ""
    path: str = ""


def ad_of(*addresses: Any) -> str | None:
    """Which advertiser's click id stands in one of these addresses, or in what follows their question mark."""
    for one in addresses:
        if isinstance(one, str) and "id=" in one:  # nearly none has any
            found = CLICK_IDS.search(one if "?" in one else f"?{one}")
            if found is not None:
                return found[1]
    return None


def may_have_column(key: Key | Sight) -> bool:
    """Whether the key can stand in the catalogue of properties, which is a table of PostgreSQL with an index."""
    return max(len(key.event), len(key.path)) <= LONG and "\x00" not in key.event and "\x00" not in key.path


def conflicts(registered: str, kind: str) -> bool:
    """Whether a value of `kind` stands aside of the registered one. Whole and broken numbers are one type; null is of any."""
    return kind not in (registered, "null") and registered != "null" and not (kind in _NUMBERS and registered in _NUMBERS)


def folder(name: str) -> str:
    """A name as a folder: letters, digits, - and _ stay, all else becomes %XX of its UTF-8; a long one ends in a hash."""
    raw = name.encode("utf-8", "surrogatepass")
    written = "".join(chr(b) if b in _FOLDER else f"%{b:02X}" for b in raw)
    return written if len(written) <= 120 else f"{written[:100]}~{hashlib.sha256(raw).hexdigest()[:16]}"


class Held(NamedTuple):
    """The addresses of the person a fact is about: a text that holds one stays out of the lake under any name.

    mails also in the spelling they have in the query of a URL; phones without the plus.
    """

    mails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()

    def told_by(self, value: str) -> bool:
        """Whether the text holds one of them. A text without @ and too short for a number is done with at once: most are."""
        if self.mails and ("@" in value or "%40" in value):
            low = value.lower()
            if any(mail in low for mail in self.mails):
                return True
        return bool(self.phones) and len(value) >= _SHORTEST and any(phone in value for phone in self.phones)


NOTHING = Held()


def held_by(identifiers: Iterable[str]) -> Held:
    """The e-mail addresses and phone numbers among identifiers ("kind:value"), but those too short to be told from chance."""
    mails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    for identifier in identifiers:
        if identifier.startswith("email:") and len(identifier) >= 6 + _SHORTEST:
            mails += (identifier[6:], identifier[6:].replace("@", "%40"))
        elif identifier.startswith("phone:") and len(identifier) >= 6 + _SHORTEST:
            phones += (identifier[6:].lstrip("+"),)
    return Held(mails, phones) if mails or phones else NOTHING


def without(value: object, held: Held) -> object:
    """A JSON value without private names at any depth; a text with an address of the person becomes null."""
    if type(value) is dict:
        return {name: without(inner, held) for name, inner in value.items() if name not in PRIVATE}
    if type(value) is list:
        return [without(inner, held) for inner in value]
    return None if type(value) is str and held.told_by(value) else value
