"""What people can subscribe to, and of whom: the topics and brands in force. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.definitions import Published
from schemas.journeys import Brand
from schemas.permission import Tree, tree
from schemas.subscriptions import Topic


@dataclass(frozen=True, slots=True)
class Subjects:
    """What can be subscribed to, as it is in force. A topic that is out of force keeps its place in the tree."""

    topics: tuple[Topic, ...]
    tree: Tree
    brands: dict[str, Brand]

    def brand(self, key: str) -> str:
        """What people call it."""
        return self.brands[key].name if key in self.brands else key

    def language(self, key: str) -> str:
        return self.brands[key].language if key in self.brands else "en"


def subjects(documents: Sequence[Published], _revision: int = 0) -> Subjects:
    """Out of the documents of kind topic and brand."""
    known: dict[str, Topic] = {}
    current: dict[str, Topic] = {}
    brands: dict[str, Brand] = {}
    for document in documents:  # of one key in the order of their versions
        if document.kind == "topic":
            known[document.key] = Topic.model_validate_json(bytes(document.body))
            if document.pointer:
                current[document.key] = known[document.key]
        elif document.kind == "brand" and document.pointer:
            brands[document.key] = Brand.model_validate_json(bytes(document.body))
    return Subjects(tuple(current.values()), tree({**known, **current}.values()), brands)
