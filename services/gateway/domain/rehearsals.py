"""What a rehearsal could not know, in words."""

from collections.abc import Mapping
from typing import Any

from services.gateway.domain.faults import Text
from services.gateway.domain.problems import Language

UNKNOWN: Mapping[str, Text] = {
    "consents": Text(
        "Consents and suppressions are asked by the sender just before a message goes, and were not asked: fewer would have gone.",
        "Согласия и стоп-листы проверяет отправитель перед самой отправкой, здесь их не спрашивали: ушло бы меньше.",
    ),
    "deliveries": Text(
        "Every message is taken to be accepted at once; of what becomes of it then the stated shares are assumed.",
        "Каждое сообщение считается принятым сразу; что с ним было дальше, взято из заданных долей.",
    ),
    "merges": Text(
        "People who became one are one from the first day on, and those who were erased are not there.",
        "Те, кто стал одним человеком, одно лицо с первого дня; удалённых здесь нет.",
    ),
    "before": Text(
        "Who was inside a journey, and what he was sent, before the first day is not known: caps count from it on.",
        "Кто был внутри цепочек и что получал до первого дня, неизвестно: лимиты считаются с него.",
    ),
    "campaigns": Text("Other campaigns of these days are not played.", "Другие рассылки этих дней не проигрываются."),
    "throttle": Text(
        "At which minute of a throttled launch somebody's turn comes is taken from his place in the audience, as if everybody of it were sent to.",
        "В какую минуту доходит очередь при ограниченной скорости, взято из места человека в аудитории, как если бы писали каждому.",
    ),
    "set_attributes": Text(
        "What steps say of people is not heard by conditions.", "То, что шаги записывают о человеке, условия здесь не слышат."
    ),
    "personal": Text(
        "The lake lacks what is personal, so it counts as not there: {names}.",
        "Личного в озере нет, оно считается неизвестным: {names}.",
    ),
    "sample": Text(
        "Played for a sample of {people} of {all} people, drawn by the hash that is their id: multiply.",
        "Проиграно на выборке: {people} из {all} человек, по хешу, которым служит их id. Умножайте.",
    ),
}


def with_words(job: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """A job with a message beside each code of what its report could not know."""
    report = job["report"]
    if report is None:
        return dict(job)
    told = [{**one, "message": _said(one, language)} for one in report["unknown"]]
    return {**job, "report": {**report, "unknown": told}}


def _said(one: Mapping[str, Any], language: Language) -> str:
    words: str = getattr(UNKNOWN[one["code"]], language)
    return words.format_map({name: ", ".join(value) if isinstance(value, list) else value for name, value in one.items()})
