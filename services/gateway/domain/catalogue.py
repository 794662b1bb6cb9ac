"""The texts of all problems and faults, in English and Russian. Codes are stable: programs rely on them."""

from typing import NamedTuple

from services.gateway.domain.faults import Text


class Entry(NamedTuple):
    """A problem: its HTTP status, what happened in general, and what to do about it."""

    status: int
    title: Text
    detail: Text


_UNKNOWN = Text("There is no such thing", "Такого нет")
_STATE = Text("It does not fit what is there now", "Не сходится с тем, что есть сейчас")
_REQUEST = Text("The request cannot be read", "Запрос не читается")
_RIGHTS = Text("The key may not do this", "У ключа нет такого права")
_LATER = Text("Not possible at the moment", "Сейчас не получается")

PROBLEMS: dict[str, Entry] = {
    "unauthorized": Entry(
        401,
        Text("An API key is needed", "Нужен ключ API"),
        Text(
            "Send `Authorization: Bearer <API key>` with a key that is known, not revoked and not expired.",
            "Пришлите `Authorization: Bearer <ключ API>`: ключ должен быть известен, не отозван и не просрочен.",
        ),
    ),
    "scope_missing": Entry(
        403, _RIGHTS, Text("This call needs a key with the scope `{scope}`.", "Для этого нужен ключ с правом `{scope}`.")
    ),
    "brand_forbidden": Entry(
        403,
        _RIGHTS,
        Text("The key is for the brands {brands}; this is beyond them.", "Ключ выдан для брендов {brands}; это за их пределами."),
    ),
    "rights_exceeded": Entry(
        403,
        _RIGHTS,
        Text("A key cannot give rights that it does not have: {what}.", "Ключ не может выдать права, которых нет у него: {what}."),
    ),
    "not_found": Entry(404, _UNKNOWN, Text("Nothing is at this address.", "По этому адресу ничего нет.")),
    "document_not_found": Entry(404, _UNKNOWN, Text("There is no {kind} `{key}`.", "Нет документа {kind} `{key}`.")),
    "payload_not_found": Entry(
        404,
        _UNKNOWN,
        Text(
            "No such payload was taken in, or it is more than three days ago.",
            "Такого запроса не было, или прошло больше трёх дней.",
        ),
    ),
    "rehearsal_not_found": Entry(
        404,
        _UNKNOWN,
        Text("There is no such rehearsal, or it is more than a week ago.", "Такой репетиции нет, или прошло больше недели."),
    ),
    "rehearsals_open": Entry(
        429,
        _LATER,
        Text(
            "{most} rehearsals of this brand wait or are played: wait for one, or stop it.",
            "Репетиций этого бренда уже {most}, они ждут или идут: дождитесь одной или остановите её.",
        ),
    ),
    "erasure_not_found": Entry(
        404, _UNKNOWN, Text("There is no such act, or it has not begun yet.", "Такого акта нет, или он ещё не начат.")
    ),
    "profile_not_found": Entry(404, _UNKNOWN, Text("There is no such profile.", "Такого профиля нет.")),
    "nothing_to_part": Entry(
        409,
        _STATE,
        Text(
            "Nobody would be parted: name some of the person's identifiers and leave some.",
            "Никто не будет разделён: назовите часть идентификаторов человека, а часть оставьте.",
        ),
    ),
    "list_exists": Entry(
        409,
        _STATE,
        Text(
            "There is a segment `{key}` already: a list needs a key of its own.",
            "Сегмент `{key}` уже есть: списку нужен свой ключ.",
        ),
    ),
    "not_frozen": Entry(404, _UNKNOWN, Text("No list `{key}` was ever made.", "Списка `{key}` никогда не делали.")),
    "thing_not_found": Entry(404, _UNKNOWN, Text("There is no such {kind}.", "Такого объекта ({kind}) нет.")),
    "method_not_allowed": Entry(405, _UNKNOWN, Text("This address does not take {method}.", "Этот адрес не принимает {method}.")),
    "clock_backwards": Entry(
        409, _STATE, Text("A driven clock only goes forward: {why}.", "Управляемые часы идут только вперёд: {why}.")
    ),
    "experiment_running": Entry(
        409, _STATE, Text("The experiment `{key}` runs: stop it first.", "Эксперимент `{key}` идёт: сначала остановите его.")
    ),
    "experiment_not_running": Entry(409, _STATE, Text("The experiment `{key}` does not run.", "Эксперимент `{key}` не идёт.")),
    "campaign_launched": Entry(
        409,
        _STATE,
        Text(
            "Launch {number} of it is there already, of version {version}. To send it to everybody once more, say `again: true`.",
            "Запуск {number} уже есть, он идёт по версии {version}. Чтобы разослать всем ещё раз, передайте `again: true`.",
        ),
    ),
    "not_launched": Entry(409, _STATE, Text("It was never launched.", "Эту кампанию ещё не запускали.")),
    "launch_stopped": Entry(
        409,
        _STATE,
        Text(
            "No launch of it is under way: they were stopped, for good, or are long past.",
            "Ни один её запуск не идёт: они остановлены насовсем или давно прошли.",
        ),
    ),
    "no_pilot": Entry(
        409,
        _STATE,
        Text("Its last launch is no pilot: it goes to everybody.", "Её последний запуск не пробный: он идёт всем."),
    ),
    "mechanic_differs": Entry(409, _STATE, Text("Some of it is there with another body.", "Часть уже есть, но другая.")),
    "referenced": Entry(
        409,
        _STATE,
        Text("It is still used by: {by}. Change these first.", "На него ссылаются: {by}. Сначала измените их."),
    ),
    "secret_shown": Entry(
        409,
        _STATE,
        Text(
            "The secret of version {version} was shown before: raise `secret_version`, publish, and ask again.",
            "Секрет версии {version} уже показан: увеличьте `secret_version`, опубликуйте документ и спросите снова.",
        ),
    ),
    "used_otherwise": Entry(
        409,
        _STATE,
        Text(
            "It no longer fits what uses it: {by}. Change these first, or import all of them together.",
            "Опубликованное больше не сойдётся с ним: {by}. Сначала измените это или импортируйте всё вместе.",
        ),
    ),
    "no_api_trigger": Entry(
        409,
        _STATE,
        Text(
            "The journey `{key}` is not started by the API: publish it with `trigger: {{api: true}}`.",
            "Цепочку `{key}` запускает не API: опубликуйте её с `trigger: {{api: true}}`.",
        ),
    ),
    "not_in_force": Entry(
        409,
        _STATE,
        Text(
            "The {kind} `{key}` is not in force: publish it first.",
            "Документ {kind} `{key}` не действует: сначала опубликуйте его.",
        ),
    ),
    "journey_state": Entry(
        409,
        _STATE,
        Text(
            "The journey `{key}` is {state}: that does not go from there. Resume it first.",
            "Цепочка `{key}` в состоянии {state}: так из него нельзя. Сначала возобновите её (resume).",
        ),
    ),
    "stood_in": Entry(
        409,
        _STATE,
        Text(
            "People still stand in versions of journeys that use it: {by}. Move them to another version first, or let them finish.",
            "Люди ещё стоят в версиях цепочек, где это используется: {by}. Сначала переведите их в другую версию или дайте им закончить.",
        ),
    ),
    "revision_stale": Entry(
        412,
        _STATE,
        Text(
            "The document has revision {revision} now: read it again and repeat the change.",
            "Сейчас у документа ревизия {revision}: прочитайте его снова и повторите изменение.",
        ),
    ),
    "too_large": Entry(413, _REQUEST, Text("At most {limit} bytes are taken here.", "Здесь принимается не больше {limit} байт.")),
    "malformed_json": Entry(400, _REQUEST, Text("The body is not JSON in UTF-8.", "Тело запроса: не JSON в UTF-8.")),
    "idempotency_mismatch": Entry(
        422,
        _STATE,
        Text(
            "This Idempotency-Key came with another request within a day: take a new one.",
            "Этот Idempotency-Key уже приходил с другим запросом в течение суток: возьмите новый.",
        ),
    ),
    "invalid": Entry(
        422,
        Text("The request is not right", "В запросе ошибки"),
        Text("`errors` lists everything to be mended.", "В `errors` перечислено всё, что нужно исправить."),
    ),
    "document_too_large": Entry(422, _STATE, Text("The document is larger than {limit} bytes.", "Документ больше {limit} байт.")),
    "stuck": Entry(503, _LATER, Text("The driven run does not move: {why}.", "Управляемый прогон не движется: {why}.")),
    "service_unavailable": Entry(
        503, _LATER, Text("The service {service} does not answer. Try again.", "Служба {service} не отвечает. Повторите запрос.")
    ),
    "service_unknown": Entry(
        503,
        _LATER,
        Text(
            "This installation has no service {service} (OTKLIK_SERVICES).",
            "В этой установке нет службы {service} (OTKLIK_SERVICES).",
        ),
    ),
    "database_unavailable": Entry(
        503, _LATER, Text("The database does not answer. Try again.", "База данных не отвечает. Повторите запрос.")
    ),
    "internal": Entry(
        500,
        Text("Our fault", "Наша ошибка"),
        Text("The log of the gateway says why.", "Причина записана в журнале шлюза."),
    ),
}

# The codes are those of the checks that find them; a text with braces takes their parameters.
