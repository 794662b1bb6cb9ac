"""The oracle: what must be known in the end, from nothing but what got a 2xx. Slow, plain, and no code of the services.

`python tests/chaos/oracle.py accepted.jsonl [cuts.json]` prints {"facts": {message: number}, "people": [{identifiers, attributes}]}.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

JUNK = {"email:unknown"}


def expected(lines: Iterable[dict[str, Any]], cuts: Iterable[Iterable[str]] = ()) -> dict[str, Any]:
    """Groups and attributes of every person, and every fact once. The order of the lines does not matter.

    cuts: names of those who were parted from others: no fact makes one of the two of them, whenever it is told.
    """
    side = {name: number for number, names in enumerate(cuts, 1) for name in names}
    facts = {line["message"]: line for line in lines}
    owner: dict[str, str] = {}
    for fact in facts.values():
        names = [i for i in fact["identifiers"] if i not in JUNK]
        for name in names:
            join(owner, names[0] if side.get(names[0]) == side.get(name) else name, name)
    people: dict[str, dict[str, Any]] = {}
    for name in owner:
        person = people.setdefault(root(owner, name), {"identifiers": [], "attributes": {}})
        person["identifiers"].append(name)
    for fact in facts.values():
        known = people[root(owner, fact["identifiers"][0])]["attributes"]
        for attribute, value in fact["attributes"].items():
            news = [fact["occurred_at"], value]
            if attribute not in known or _later(news, known[attribute]):
                known[attribute] = news
    for person in people.values():
        person["identifiers"].sort()
    return {
        "facts": {message: fact["number"] for message, fact in facts.items()},
        "people": sorted(people.values(), key=lambda person: str(person["identifiers"][0])),
    }


def _later(news: list[Any], held: list[Any]) -> bool:
    """The later value wins; of two of the same instant the greater JSON text."""
    return (news[0], _text(news[1])) > (held[0], _text(held[1]))


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def root(owner: dict[str, str], name: str) -> str:
    while owner[name] != name:
        name = owner[name]
    return name


def join(owner: dict[str, str], one: str, other: str) -> None:
    for name in (one, other):
        owner.setdefault(name, name)
    owner[root(owner, other)] = root(owner, one)


if __name__ == "__main__":
    rows, *parted = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])
    json.dump(expected(map(json.loads, rows.splitlines()), json.loads(parted[0]) if parted else ()), sys.stdout)
