"""What is not success: problems with stable codes, and faults of a document, said in the caller's language by the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.gateway.domain.catalogue import PROBLEMS
from services.gateway.domain.faults import FAULTS, Text

Language = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = ("en", "ru")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document. path: dotted, list places as numbers; "" is the document itself.

    params: for the catalogue's text; message: in English, where the catalogue has none or a less exact one. place: where it is in another
    document, of which this one is made.
    """

    path: str
    code: str
    message: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    def told(self, language: str) -> dict[str, str]:
        """`{path, code, message}` for the answer, with `in` where it has a place in another document."""
        text = FAULTS.get(self.code)
        if language == "en" and self.message:
            message = self.message
        elif text:
            message = _say(text, language, self.params)
        else:
            message = self.message if language == "en" else f"Не подходит: {self.message}"
        return {"path": self.path, "code": self.code, "message": message, **({"in": self.place} if self.place else {})}


class Problem(Exception):  # noqa: N818
    """An answer of RFC 9457. code: a key of the catalogue; params: for its text; faults: all of them at once."""

    def __init__(self, code: str, faults: Sequence[Fault] = (), **params: Any) -> None:
        super().__init__(code)
        self.code, self.faults, self.params = code, tuple(faults), params

    @property
    def status(self) -> int:
        return PROBLEMS[self.code].status

    def document(self, language: str) -> dict[str, Any]:
        """The body of the answer."""
        entry = PROBLEMS[self.code]
        document: dict[str, Any] = {
            "type": f"urn:otklik:problem:{self.code}",
            "title": getattr(entry.title, language),
            "status": entry.status,
            "detail": _say(entry.detail, language, self.params),
            "code": self.code,
        }
        if self.faults:
            document["errors"] = [fault.told(language) for fault in self.faults]
        return document


def language_of(accept: str) -> Language:
    """The language of ours that an Accept-Language header likes best; English when it names none."""
    liked: list[tuple[float, int, Language]] = []
    for place, part in enumerate(accept.split(",")):
        tag, _, weight = part.partition(";")
        said = tag.strip().lower().partition("-")[0]
        name = next((one for one in LANGUAGES if one == said), None)
        try:
            quality = float(weight.partition("=")[2]) if weight else 1.0
        except ValueError:
            quality = 0.0
        if name is not None and quality > 0:
            liked.append((-quality, place, name))
    return min(liked)[2] if liked else "en"


class _Params(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def _say(text: Text, language: str, params: Mapping[str, Any]) -> str:
    words: str = getattr(text, language)
    return words.format_map(_Params(params)) if "{" in words else words
