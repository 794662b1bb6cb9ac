"""What a service compiles of its documents is compiled when one of them is another, and not when somebody else's is."""

from runtime.definitions import NAMES, READ, Definitions
from schemas.definitions import Published


class Tables:
    """A connection to rows of (kind, key, version) with what is in force."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str, int], bytes] = {}
        self.current: dict[tuple[str, str], int] = {}
        self.bodies_read = 0

    def publish(self, kind: str, key: str, version: int, body: bytes = b"{}") -> None:
        self.documents[kind, key, version] = body
        self.current[kind, key] = version

    async def fetch(self, query: str, kinds: list[str]) -> list[dict]:
        assert query in (NAMES, READ)
        self.bodies_read += query == READ
        return [
            {"kind": k, "key": key, "version": v, "current": self.current.get((k, key)) == v, "body": body}
            for (k, key, v), body in sorted(self.documents.items())
            if k in kinds
        ]


async def test_a_revision_that_brings_none_of_these_documents_compiles_nothing():
    tables = Tables()

    def build(documents: list[Published], _revision: int) -> list[tuple[str, int]]:
        return [(one.key, one.version) for one in documents if one.pointer]

    made = Definitions(("journey",), build)
    assert await made.at(tables, 0) == [] and tables.bodies_read == 1
    tables.publish("journey", "a", 1)
    first = await made.at(tables, 1)
    tables.publish("gate", "a", 1)
    assert first == [("a", 1)] and await made.at(tables, 2) is first and tables.bodies_read == 2
    tables.publish("journey", "a", 2)
    assert await made.at(tables, 2) is first, "not before its revision"
    assert await made.at(tables, 3) == [("a", 2)]
    tables.current["journey", "a"] = 1
    assert await made.at(tables, 4) == [("a", 1)]
    del tables.current["journey", "a"]
    assert await made.at(tables, 5) == [] and tables.bodies_read == 5
