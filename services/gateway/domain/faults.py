"""The texts of what is wrong with a field, by code, in both languages."""

from typing import NamedTuple

from services.gateway.domain.experiment_faults import OF_EXPERIMENTS


class Text(NamedTuple):
    """One sentence in each language."""

    en: str
    ru: str


FAULTS: dict[str, Text] = {
    "not_in_lake": Text("what is personal is known to live segments only", "личное знают только живые сегменты: в озере его нет"),
    "unknown_segment": Text("this segment is not in force", "этот сегмент не действует"),
    "choice": Text("this cannot be chosen there; what can: {may}", "там этого не выбрать; можно: {may}"),
    "rule_alone": Text(
        "a rule is played with the journeys that it holds: take it out",
        "правило проигрывают с цепочками, которые оно держит: уберите поле",
    ),
    "only_campaigns": Text(
        "only a campaign is launched at an instant: take it out", "момент запуска есть только у рассылки: уберите поле"
    ),
    "not_of_these_days": Text(
        "not one of the days that are played: from {since} up to {until} (UTC ms)",
        "не из проигрываемых дней: с {since} до {until} (UTC, мс)",
    ),
    "twice": Text("the name stands there twice", "имя стоит дважды"),
    "missing": Text("this field is needed", "это поле обязательно"),
    "extra_forbidden": Text("there is no such field", "такого поля нет"),
    "object": Text("an object of JSON is wanted", "нужен объект JSON"),
    "model_type": Text("an object is wanted", "нужен объект"),
    "dict_type": Text("an object is wanted", "нужен объект"),
    "mapping_type": Text("an object is wanted", "нужен объект"),
    "list_type": Text("a list is wanted", "нужен список"),
    "tuple_type": Text("a list is wanted", "нужен список"),
    "string_type": Text("a text is wanted", "нужен текст"),
    "string_unicode": Text("the text is broken: half of a character stands there", "текст повреждён: в нём половина символа"),
    "int_type": Text("a whole number is wanted", "нужно целое число"),
    "int_parsing": Text("a whole number is wanted", "нужно целое число"),
    "int_parsing_size": Text("the number is too large", "число слишком велико"),
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
    "recursion_depth_exceeded": Text("nested too deep", "слишком глубокая вложенность"),
    "literal": Text(
        "a text, true or false, a number up to 2^53 - 1, or a list of such is wanted",
        "нужен текст, true или false, число до 2^53 - 1 или список таких значений",
    ),
    "too_many_values": Text(
        "everybody's values of this personal attribute are more than there is memory for (OTKLIK_AUDIENCE_PERSONAL_MEMORY at audience)",
        "значения этих личных сведений у всех людей не помещаются в память (OTKLIK_AUDIENCE_PERSONAL_MEMORY у audience)",
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
    "float_parsing": Text("a number is wanted", "нужно число"),
    "finite_number": Text("a finite number is wanted", "нужно конечное число"),
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
        "the values of `{name}` are of the type {type}, {asked} is asked for",
        "значения `{name}` имеют тип {type}, а здесь нужен {asked}",
    ),
    "model_attributes_type": Text("an object of JSON is wanted", "нужен объект JSON"),
    "unexpected": Text("this operation takes no value", "эта операция не принимает значения"),
    "shape": Text("`in` takes a list, the others one value", "`in` принимает список, остальные операции одно значение"),
    "length": Text("give at least one value, at most 1000", "нужно хотя бы одно значение, не больше 1000"),
    "type": Text("the operation or the value does not fit the type", "операция или значение не подходят к типу"),
    "date": Text("a date is wanted, such as 2026-03-31", "нужна дата, например 2026-03-31"),
    "date_range": Text("a date from {least} to {most} is wanted", "нужна дата от {least} до {most}"),
    "days_many": Text("more than {most} days: ask for less at once", "больше {most} дней: запросите меньше за раз"),
    "nothing_compared": Text(
        "there is nothing to compare: no such split, variants or control group is in force",
        "сравнивать нечего: такого разделения, вариантов или контрольной группы нет в действии",
    ),
    "no_look_yet": Text(
        "the next look is not reached: a verdict before it would be a chance find",
        "до следующего просмотра ещё не дошло: вывод раньше него был бы случайной находкой",
    ),
    "share_differs": Text("{share} percent there: it must be the same", "там {share} процентов: должно совпадать"),
    "arms_missing": Text("without {names}: name all arms, or none", "не хватает {names}: назовите все группы или ни одной"),
    "experiment_running": Text(
        "the experiment runs: stop it before you change this", "эксперимент идёт: остановите его, прежде чем менять это поле"
    ),
    "experiment_stopped_by": Text(
        "`POST .../stop` writes it: nobody else says when an experiment was stopped",
        "это пишет `POST .../stop`: другого способа сказать, когда эксперимент остановлен, нет",
    ),
    "experiment_over": Text(
        "an end that is past is not chosen any more: by then its figures were known",
        "прошедший конец уже не выбирают: к тому времени цифры были известны",
    ),
    "experiment_unsettled": Text(
        "the experiment `{key}` runs, and this version has other arms than it compared so far: they are a period of their own, if it can be judged"
        " at all",
        "эксперимент `{key}` идёт, а в этой версии не те группы, что он сравнивал: у них будет свой период, если его вообще можно будет оценить",
    ),
    "ended_early": Text(
        "it ended at {people} people of the planned {size}: this is its last look, and it is judged by them alone",
        "он кончился на {people} людях из запланированных {size}: это последний просмотр, и судим только по ним",
    ),
    "ratio_over": Text("a ratio, and nothing else, has `over`", "поле `over` есть только у отношения, и там оно обязательно"),
    "window": Text(
        "no window: whole milliseconds or a text such as 30m, 12h, 7d or 2w are wanted",
        "не окно: нужны целые миллисекунды или текст вида 30m, 12h, 7d или 2w",
    ),
    "window_too_long": Text("longer than {days} days", "длиннее {days} дней"),
    "currencies_mixed": Text(
        "the amounts are in several currencies ({names}) and are not added up: choose one with `currency`",
        "суммы в разных валютах ({names}) не складываются: выберите одну полем `currency`",
    ),
    "churn_effect": Text("nobody leaves any more at 1: less is wanted", "при 1 не уходит никто: нужно меньше"),
    "way_too_narrow": Text(
        "of those who come less than one in 1,000,000,000 pays at the end",
        "из пришедших в конце платит меньше одного на 1 000 000 000",
    ),
    "unknown_stage": Text("there is no such stage", "такого этапа нет"),
    "period": Text("the period ends before it begins", "период кончается раньше, чем начался"),
    "period_too_long": Text("more periods than a report has: ask for less", "периодов больше, чем бывает в отчёте: сузьте вопрос"),
    "unknown_figure": Text("the report has no such figure", "в отчёте нет такого показателя"),
    "no_table": Text("the answer has no such list of rows", "в ответе нет такого списка строк"),
    "correlation": Text(
        "a cohort shows who differs, not what came of it: name the group by what its people are",
        "когорта показывает, кто отличается, а не что на это повлияло: назовите группу по тому, кто в ней",
    ),
    "traffic_too_much": Text(
        "imported traffic of this period is more than {limit} rows of day, landing and currency: ask for a shorter one",
        "загруженного трафика за этот период больше {limit} строк по дням, видам страниц и валютам: возьмите период короче",
    ),
    "traffic_twice": Text("a row before it has the same key", "строка с тем же ключом уже была выше"),
    "utf8": Text("the file is not UTF-8", "файл не в UTF-8"),
    "csv": Text("this line cannot be read as CSV", "строка не читается как CSV"),
    "periods": Text("one of day, week and month", "одно из: day, week, month"),
    "rows": Text("more than {limit} rows: ask for less", "больше {limit} строк: сузьте вопрос"),
    "one_who": Text("give `segment` or `condition`, not both", "задайте `segment` или `condition`, не оба"),
    "needs_period": Text("a comparison needs `from` and `to`", "для сравнения нужны `from` и `to`"),
    "json": Text("no JSON", "это не JSON"),
    "int_range": Text("a whole number from {least} to {most} is wanted", "нужно целое число от {least} до {most}"),
    "unknown_row": Text("the report has no such row", "в отчёте нет такой строки"),
    "unknown_document": Text("there is no {kind} `{key}`", "нет документа {kind} `{key}`"),
    "not_in_document": Text(
        "`{name}` is in no version of it; there are {names}", "`{name}` нет ни в одной его версии; есть {names}"
    ),
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
    "not_there_yet": Text(
        "the sender has not got this template yet: ask again in a moment",
        "шаблон ещё не дошёл до отправителя: повторите чуть позже",
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
    "webhook_http": Text(
        "write https: this installation calls no plain http (OTKLIK_WEBHOOK_HTTP=true at sender and gateway would let it, for a local run)",
        "нужен https: по http эта установка не вызывает (разрешает OTKLIK_WEBHOOK_HTTP=true у sender и gateway, для локального запуска)",
    ),
    "link_answers": Text(
        "the page `{link}` did not answer well (-: not at all): {answer}",
        "страница `{link}` не ответила как надо (-: совсем): {answer}",
    ),
    "link_differs": Text("the link `{link}` was not checked: it differs by person", "ссылка `{link}` не проверена: у каждого своя"),
    "link_too_many": Text(
        "the link `{link}` was not checked: no more than {most} are", "ссылка `{link}` не проверена: проверяется не больше {most}"
    ),
    "link_not_for_them": Text(
        "the link `{link}` may not go to the segment `{segment}` ({name}), to which {people} people of the audience belong",
        "ссылку `{link}` нельзя слать сегменту `{segment}` ({name}), а в аудитории таких {people}",
    ),
    "not_checked": Text("{service} did not answer: this was not checked", "{service} не ответила: это не проверено"),
    "subject_lines": Text("the subject must be one line", "тема должна быть в одну строку"),
    **{code: Text(*both) for code, both in OF_EXPERIMENTS.items()},
}
