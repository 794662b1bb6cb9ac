"""Operations of Mindbox: what was wrong with one, told by the place in its own body. Pure."""

import re

from schemas.connectors import Connector, HookCall

from .values import Fault

_CALL = re.compile(r"calls\.(\d+)(?:\.|: |$)(.*)")
_NAMED = re.compile(r"\b(body|item|query)((?:\.\w+)+)")
CUSTOMER = "/customer"

# What a customer may read on the page; the codes are those of the faults.
_RUSSIAN = {
    "identifiers_missing": "Не указан клиент: нужен идентификатор, эл. почта, телефон или deviceUUID.",
    "identifier_refused": "Значение некорректно.",
    "timestamp_invalid": "Дата и время некорректны: нужен ISO 8601, не раньше 1990 года.",
    "money_too_large": "Сумма слишком велика.",
}
_ENGLISH = {"identifier_refused": "The value is not correct."}
_ANYTHING = "Поле заполнено неверно."


def location(connector: Connector, fault: Fault) -> str:
    """Where in the operation's body a fault of its calls stands, as Mindbox writes it: /customer/email."""
    found = _CALL.match(fault.path)
    if found is None:
        return "/"
    call, path = connector.calls[int(found[1])], found[2]
    text = _expression(call, path)
    named = _NAMED.search(text) if text else None
    if named is None:
        return CUSTOMER if not path or "traits" in path or path.endswith("Id") else "/"
    inside = named[2].replace(".", "/")
    if named[1] == "item":
        each = _NAMED.search(call.each or "")
        return (each[2].replace(".", "/") if each else "") + inside
    return inside


def message(fault: Fault, *, russian: bool) -> str:
    """What is wrong, in the language of the shop."""
    if russian:
        return _RUSSIAN.get(fault.code, _ANYTHING)
    return _ENGLISH.get(fault.code, fault.message)


def _expression(call: HookCall, path: str) -> str | None:
    """The expression that gave the value of a field. path: as the call names it, or the expression's own place in the document."""
    single = {"timestamp": call.at, "at": call.at, "userId": call.user_id, "anonymousId": call.anonymous_id, "each": call.each}
    if path in single:
        return single[path]
    for group, fields in (("traits", call.traits), ("properties", call.properties)):
        _, found, name = path.rpartition(f"{group}.")
        if found:
            return fields.get(re.split(r"[.\[]", name)[0])
    return None
