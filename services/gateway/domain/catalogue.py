"""The texts of all problems and faults, in English and Russian. Codes are stable: programs rely on them."""

from typing import NamedTuple


class Text(NamedTuple):
    """One sentence in each language."""

    en: str
    ru: str


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
        Text("Its last launch was stopped, for good.", "Её последний запуск остановлен насовсем."),
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
FAULTS: dict[str, Text] = {
    "not_in_lake": Text("what is personal is known to live segments only", "личное знают только живые сегменты: в озере его нет"),
    "unknown_segment": Text("this segment is not in force", "этот сегмент не действует"),
    "choice": Text("this cannot be chosen there; what can: {may}", "там этого не выбрать; можно: {may}"),
    "twice": Text("the name stands there twice", "имя стоит дважды"),
    "missing": Text("this field is needed", "это поле обязательно"),
    "extra_forbidden": Text("there is no such field", "такого поля нет"),
    "object": Text("an object of JSON is wanted", "нужен объект JSON"),
    "model_type": Text("an object is wanted", "нужен объект"),
    "dict_type": Text("an object is wanted", "нужен объект"),
    "list_type": Text("a list is wanted", "нужен список"),
    "tuple_type": Text("a list is wanted", "нужен список"),
    "string_type": Text("a text is wanted", "нужен текст"),
    "int_type": Text("a whole number is wanted", "нужно целое число"),
    "int_parsing": Text("a whole number is wanted", "нужно целое число"),
    "int_from_float": Text("a whole number is wanted", "нужно целое число"),
    "bool_type": Text("true or false is wanted", "нужно true или false"),
    "bool_parsing": Text("true or false is wanted", "нужно true или false"),
    "string_too_short": Text("at least {min_length} characters", "не меньше {min_length} знаков"),
    "string_too_long": Text("at most {max_length} characters", "не больше {max_length} знаков"),
    "string_pattern_mismatch": Text("does not match the pattern {pattern}", "не подходит под образец {pattern}"),
    "too_short": Text("at least {min_length} entries", "не меньше {min_length} элементов"),
    "too_long": Text("at most {max_length} entries", "не больше {max_length} элементов"),
    "literal_error": Text("must be {expected}", "должно быть: {expected}"),
    "greater_than_equal": Text("at least {ge}", "не меньше {ge}"),
    "less_than_equal": Text("at most {le}", "не больше {le}"),
    "greater_than": Text("more than {gt}", "больше {gt}"),
    "less_than": Text("less than {lt}", "меньше {lt}"),
    "union_tag_invalid": Text("`kind` must be one of {expected_tags}", "`kind` должен быть одним из {expected_tags}"),
    "union_tag_not_found": Text("`kind` is needed", "нужно поле `kind`"),
    "variant": Text("one of these is needed: {expected}", "нужно одно из: {expected}"),
    "key": Text(
        "a key has 1 to 63 characters of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or digit",
        "ключ: от 1 до 63 знаков a-z, 0-9, `.`, `_`, `-`, первым буква или цифра",
    ),
    "key_mismatch": Text("must be `{key}`, as in the address", "должен быть `{key}`, как в адресе"),
    "address": Text("an address such as news@shop.example is wanted", "нужен адрес, например news@shop.example"),
    "time_zone": Text("an IANA time zone such as Europe/London is wanted", "нужен часовой пояс IANA, например Europe/Moscow"),
    "nul": Text("the character NUL is not allowed", "символ NUL недопустим"),
    "time": Text("UTC milliseconds, an ISO time, or null", "миллисекунды UTC, время ISO или null"),
    "identifier": Text(
        "an identifier such as `email:ann@example.org`; kinds: {kinds}", "идентификатор вида `email:ann@example.org`; виды: {kinds}"
    ),
    "not_his": Text("none of the person's identifiers", "нет среди идентификаторов этого человека"),
    "cursor": Text("take `next` as the last page gave it", "возьмите `next` таким, каким его дала прошлая страница"),
    "unknown_reference": Text("there is no published {kind} `{key}`", "нет опубликованного документа {kind} `{key}`"),
    "other_brand": Text("{kind} `{key}` belongs to the brand {brand}", "{kind} `{key}` принадлежит бренду {brand}"),
    "unreachable": Text(
        "nothing leads to step `{step}`: let a step go there, or take it out",
        "к шагу `{step}` ничто не ведёт: направьте на него другой шаг или уберите его",
    ),
    "circle": Text(
        "steps {steps} go round without a wait: put one between them",
        "шаги {steps} идут по кругу без ожидания: поставьте его между ними",
    ),
    "window_overlaps": Text(
        "has time in common with {other}: write one window of both, or part them",
        "пересекается с {other}: объедините окна или разведите их",
    ),
    "window_quiet": Text(
        "lies in the quiet hours wholly: nothing would ever be sent in it",
        "целиком лежит в тихих часах: в нём ничего не отправится",
    ),
    "quiet_never": Text("the same as `from` is no night at all", "совпадает с `from`: такая ночь не длится нисколько"),
    "one_class": Text("one class alone shares its days with nobody: name both", "один класс ни с кем не делит дня: назовите оба"),
    "cap_idle": Text(
        "never acts: cap `{other}` lets {most} through already: take one of them out, or mend its window",
        "никогда не сработает: предел `{other}` уже пропускает только {most}: уберите один из них или исправьте его окно",
    ),
    "service_waits_not": Text(
        "service messages wait for nobody: take it out", "сервисные сообщения не ждут никого: уберите это поле"
    ),
    "no_marketing": Text(
        "this journey sends nothing but service messages, to which it does not apply: take it out",
        "цепочка шлёт только сервисные сообщения, к ним это не относится: уберите поле",
    ),
    "unknown_step": Text(
        "no earlier version has the step `{step}`; there are {steps}", "ни в одной прежней версии нет шага `{step}`; есть {steps}"
    ),
    "no_such_step": Text(
        "the version that is published has no step `{step}`: take one of {steps}, `leave` or `finish`",
        "в публикуемой версии нет шага `{step}`: возьмите один из {steps}, `leave` или `finish`",
    ),
    "other_channel": Text("template `{key}` is for {channel}", "шаблон `{key}` для канала {channel}"),
    "cycle": Text("leads back to itself: {through}", "ссылается на себя по кругу: {through}"),
    "document_kind": Text("kinds are {kinds}", "виды документов: {kinds}"),
    "document_differs": Text("not what is there: take a `prefix`, or `keep` it", "не то, что есть: задайте `prefix` или `keep`"),
    "document_twice": Text("the same document stands here twice", "один и тот же документ встречается дважды"),
    "depth": Text(
        "nested more than {limit} deep: use segments of segments", "вложенность больше {limit} уровней: вынесите часть в сегменты"
    ),
    "leaves": Text(
        "{count} conditions, at most {limit}: use segments of segments", "условий {count}, можно {limit}: вынесите часть в сегменты"
    ),
    "cost": Text(
        "the conditions cost {cost}, at most {limit}: ask for fewer sums and sequences, or use segments of segments",
        "условия стоят {cost}, можно {limit}: уменьшите число сумм и последовательностей или вынесите часть в сегменты",
    ),
    "cost_of_all": Text(
        "the conditions cost {cost} and all others in force {others}, together at most {limit}: withdraw what is not used",
        "условия стоят {cost}, все остальные действующие {others}, вместе можно {limit}: снимите с публикации ненужное",
    ),
    "unknown_parameter": Text("there is no parameter `{name}`: there are {names}", "нет параметра `{name}`: есть {names}"),
    "parameter_type": Text("{wanted} is wanted", "значение другого типа, нужно: {wanted}"),
    "is_pattern": Text(
        "journey `{key}` has parameters: name one that is made of it",
        "у цепочки `{key}` есть параметры: назовите ту, что из неё сделана",
    ),
    "no_pattern": Text("journey `{key}` has no parameters", "у цепочки `{key}` нет параметров"),
    "reserved_property": Text("`{name}` is taken: call it otherwise", "имя `{name}` занято: назовите иначе"),
    "number_too_long": Text("a number is beyond 64 bits: send it as text", "число больше 64 бит: пришлите его текстом"),
    "data_size": Text("at most {limit} bytes", "не больше {limit} байт"),
    "data_depth": Text("nested at most {limit} deep", "вложенность не больше {limit} уровней"),
    "uuid_parsing": Text("the id of a profile is wanted", "нужен идентификатор профиля"),
    "uuid_type": Text("the id of a profile is wanted", "нужен идентификатор профиля"),
    "float_type": Text("a number is wanted", "нужно число"),
    "one_person": Text("give `profile` or `identifier`, one of them", "нужно одно из двух: `profile` или `identifier`"),
    "key_reserved": Text(
        "`{key}` is the address of something else: take another key", "`{key}` занято другим адресом: возьмите другой ключ"
    ),
    "never_true": Text(
        "nobody can meet this: it excludes itself{parts}", "этого не выполнит никто: условие исключает само себя{parts}"
    ),
    "always_true": Text("everybody meets this{parts}", "это выполняют все{parts}"),
    "no_fact": Text("no fact passes all of these tests", "эти проверки вместе не пройдёт ни один факт"),
    "unknown_event": Text(
        "this installation has never seen the event `{name}`{near}",
        "событие `{name}` здесь ещё не встречалось{near}",
    ),
    "unknown_attribute": Text(
        "this installation has never seen the attribute `{name}`{near}",
        "сведение `{name}` здесь ещё не встречалось{near}",
    ),
    "unknown_property": Text(
        "the event has never had the property `{name}`{near}", "у события ещё не было свойства `{name}`{near}"
    ),
    "other_type": Text(
        "the values of `{name}` are of the type {type}, the condition asks for {asked}",
        "значения `{name}` имеют тип {type}, а условие спрашивает {asked}",
    ),
    "model_attributes_type": Text("an object of JSON is wanted", "нужен объект JSON"),
    "unexpected": Text("this operation takes no value", "эта операция не принимает значения"),
    "shape": Text("`in` takes a list, the others one value", "`in` принимает список, остальные операции одно значение"),
    "length": Text("give at least one value, at most 1000", "нужно хотя бы одно значение, не больше 1000"),
    "type": Text("the operation or the value does not fit the type", "операция или значение не подходят к типу"),
    "date": Text("a date is wanted, such as 2026-03-31", "нужна дата, например 2026-03-31"),
    "order": Text("the bounds are in the wrong order", "границы стоят в неверном порядке"),
    "liquid_syntax": Text("line {line}: this is not Liquid", "строка {line}: это не Liquid"),
    "liquid_filter": Text("there is no filter {name}", "нет фильтра {name}"),
    "mjml_syntax": Text("this is not MJML", "это не MJML"),
    "pool_low": Text(
        "{free} codes are left, fewer than {low_water}: load more", "осталось кодов: {free}, меньше {low_water}: загрузите ещё"
    ),
    "no_question": Text("the event asks only: {known}", "мероприятие спрашивает только: {known}"),
    "no_registration": Text("no registration has this code", "такого кода нет ни у одной регистрации"),
    "one_selection": Text("give `profiles`, `segment` or `top`, one of them", "нужно одно из: `profiles`, `segment`, `top`"),
    "code_fields": Text("give `codes` or `generate`, one of them", "нужно `codes` или `generate`, одно из двух"),
    "code_count": Text("from 1 to 1000000 codes", "кодов: от 1 до 1000000"),
    "code_characters": Text(
        "letters and digits, and `-`, `_`, `.` between them, at most 64", "буквы и цифры, между ними `-`, `_`, `.`, не больше 64"
    ),
    "code_guessable": Text("codes could be guessed: take more `#`", "коды можно угадать: возьмите больше `#`"),
    "nobody": Text("nobody belongs to the audience now", "сейчас в аудитории никого нет"),
    "template_fault": Text(
        "the template fails for {people} of {of} people tried: {fault}",
        "шаблон не собрался у {people} из {of} проверенных людей: {fault}",
    ),
    "variable_missing": Text(
        "`{name}` is not known of {people} of {of} people tried", "`{name}` неизвестно у {people} из {of} проверенных людей"
    ),
    "forbidden": Text(
        "{people} of {of} people tried may not get it: {rule}", "{people} из {of} проверенных людей не получат: {rule}"
    ),
    "displaced": Text(
        "{people} of {of} people tried would wait or go without: {verdict}, {rule}",
        "{people} из {of} проверенных людей получат позже или не получат: {verdict}, {rule}",
    ),
    "too_large": Text(
        "the letter has {bytes} bytes: Gmail cuts it off after {limit}",
        "письмо занимает {bytes} байт: Gmail обрежет его после {limit}",
    ),
    "no_unsubscribe": Text(
        "there is no link to unsubscribe: put {{{{ unsubscribe_url }}}} into it",
        "нет ссылки для отписки: вставьте {{{{ unsubscribe_url }}}}",
    ),
    "broken_link": Text("the link `{link}` leads nowhere: {why}", "ссылка `{link}` никуда не ведёт: {why}"),
    "link_not_for_them": Text(
        "the link `{link}` may not go to the segment `{segment}` ({name}), to which {people} people of the audience belong",
        "ссылку `{link}` нельзя слать сегменту `{segment}` ({name}), а в аудитории таких {people}",
    ),
    "not_checked": Text("{service} did not answer: this was not checked", "{service} не ответила: это не проверено"),
    "subject_lines": Text("the subject must be one line", "тема должна быть в одну строку"),
}
