"""What a form calls the kinds of conditions, their fields and choices. Widgets:

text, count, number, value (its type is that of the attribute or property), amount (minor units of money where the path ends in `.minor`),
choice, condition, conditions, happening, tests, lines, window, duration, shift (a duration that may be negative), instant (a date, or UTC ms),
zone, event, attribute, path (within an attribute), property (of the event), segment, channel, topic, brand, identifier.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Text(NamedTuple):
    en: str
    ru: str


class Node(NamedTuple):
    group: str
    title: Text
    description: Text


class Field(NamedTuple):
    """choices: the name in CHOICES, where it is not the field's."""

    order: int
    widget: str
    title: Text
    description: Text | None = None
    choices: str = ""


NODES: Mapping[str, Node] = {
    "All": Node("logic", Text("All of", "Все из"), Text("True when every part is; of nothing: everybody.", "Верно, когда верна каждая часть; без частей — все.")),
    "AnyOf": Node("logic", Text("Any of", "Любое из"), Text("True when at least one part is.", "Верно, когда верна хотя бы одна часть.")),
    "Not": Node(
        "logic", Text("Not", "Не"),
        Text("True when the part is false, so also of people of whom nothing is known.", "Верно, когда часть неверна, то есть и о тех, о ком ничего не известно."),
    ),
    "Attribute": Node("person", Text("Attribute", "Сведение о человеке"), Text("What is known of the person: plan, city, score.", "Что известно о человеке: тариф, город, баллы.")),
    "DateAttribute": Node(
        "person", Text("Date from now", "Дата относительно сейчас"),
        Text("A date attribute that lies near now: ends within 7 days.", "Дата рядом с текущим моментом: кончается в ближайшие 7 дней."),
    ),
    "Anniversary": Node("person", Text("Yearly day", "Ежегодный день"), Text("The day of a date as it recurs each year: a birthday.", "День даты, который повторяется каждый год: день рождения.")),
    "Identifier": Node("person", Text("Identifier", "Идентификатор"), Text("The person is known by an identifier of this kind.", "Человек известен по идентификатору этого вида.")),
    "Reachable": Node("person", Text("Reachable", "Доступен"), Text("There is an address for this channel. It says nothing of consent.", "Есть адрес для этого канала. О согласии это не говорит.")),
    "Consent": Node("person", Text("Consent", "Согласие"), Text("What the person has said of messages over a channel.", "Что человек сказал о сообщениях по каналу.")),
    "InSegment": Node("person", Text("Segment", "Сегмент"), Text("The person is in another segment.", "Человек в другом сегменте.")),
    "RandomBucket": Node("person", Text("Random share", "Случайная доля"), Text("A stable random share of people, in hundredths of a percent.", "Постоянная случайная доля людей, в сотых долях процента.")),
    "Did": Node("events", Text("How often", "Сколько раз"), Text("How often an event happened.", "Сколько раз случилось событие.")),
    "Total": Node("events", Text("Sum", "Сумма"), Text("The sum of a property over events; of nothing 0.", "Сумма свойства по событиям; без событий 0.")),
    "Average": Node("events", Text("Average", "Среднее"), Text("The average of a property over events; of nothing: false.", "Среднее свойства по событиям; без событий неверно.")),
    "Distinct": Node("events", Text("Different values", "Разные значения"), Text("How many different values a property had.", "Сколько разных значений было у свойства.")),
    "Age": Node("events", Text("First or last time", "Первый или последний раз"), Text("How long ago an event happened first or last.", "Как давно событие случилось впервые или в последний раз.")),
    "Sequence": Node("events", Text("One after the other", "Одно за другим"), Text("One event, then another within a time, without a third in between.", "Одно событие, затем другое за время, без третьего между ними.")),
    "Since": Node("events", Text("And not since", "И с тех пор нет"), Text("An event, and since then not the other: a basket that was left.", "Событие, а с тех пор не было другого: брошенная корзина.")),
    "Happening": Node("events", Text("Event", "Событие"), Text("An event that passes the tests.", "Событие, которое проходит проверки.")),
    "Calendar": Node("window", Text("Calendar period", "Календарный период"), Text("A day, week, month, quarter or year of the person's time zone.", "День, неделя, месяц, квартал или год по часовому поясу человека.")),
    "Between": Node("window", Text("Between dates", "Между датами"), Text("From one instant on and before another.", "С одного момента и раньше другого.")),
    "Around": Node("window", Text("Near a date", "Рядом с датой"), Text("Near a date attribute of the person: 3 days before the trial ends.", "Рядом с датой человека: за 3 дня до конца пробного периода.")),
    "Filter": Node("test", Text("Test", "Проверка"), Text("A test of one property.", "Проверка одного свойства.")),
    "Lines": Node("test", Text("Lines", "Строки"), Text("At least one element of a list passes all tests: a product of an order.", "Хотя бы один элемент списка проходит все проверки: товар заказа.")),
}  # fmt: skip

FIELDS: Mapping[str, Field] = {
    "kind": Field(0, "choice", Text("Kind", "Вид")),
    "name": Field(10, "attribute", Text("Attribute", "Сведение")),
    "has": Field(10, "identifier", Text("Kind of identifier", "Вид идентификатора")),
    "key": Field(10, "segment", Text("Segment", "Сегмент")),
    "salt": Field(10, "text", Text("Draw", "Розыгрыш"), Text("Another name draws other people.", "С другим именем попадут другие люди.")),
    "channel": Field(10, "channel", Text("Channel", "Канал")),
    "event": Field(10, "event", Text("Event", "Событие")),
    "first": Field(10, "happening", Text("First", "Сначала")),
    "which": Field(12, "choice", Text("Which time", "Который раз")),
    "then": Field(12, "happening", Text("Then", "Затем")),
    "path": Field(20, "path", Text("Path", "Путь"), Text("Where the value lies within an object, parted by dots.", "Где значение лежит внутри объекта, через точки.")),
    "Filter.path": Field(20, "property", Text("Property", "Свойство"), Text("Parted by dots within objects: total.minor.", "Внутри объектов через точки: total.minor.")),
    "Lines.path": Field(20, "property", Text("List", "Список"), Text("The property that is a list: products.", "Свойство, в котором список: products.")),
    "sum": Field(20, "property", Text("Sum of", "Сумма по"), Text("A property with whole numbers; money: total.minor.", "Свойство с целыми числами; деньги: total.minor.")),
    "of": Field(20, "property", Text("Of", "По")),
    "All.of": Field(20, "conditions", Text("Conditions", "Условия")),
    "AnyOf.of": Field(20, "conditions", Text("Conditions", "Условия")),
    "Not.of": Field(20, "condition", Text("Condition", "Условие")),
    "topic": Field(20, "topic", Text("Topic", "Тема"), Text("* is everything.", "* значит всё.")),
    "purpose": Field(22, "choice", Text("Purpose", "Цель")),
    "state": Field(24, "choice", Text("State", "Состояние")),
    "brand": Field(26, "brand", Text("Brand", "Бренд"), Text("Left out: of any brand.", "Не указан: любого бренда.")),
    "op": Field(30, "choice", Text("Comparison", "Сравнение")),
    "Age.op": Field(30, "choice", Text("Comparison", "Сравнение"), choices="Age.op"),
    "type": Field(32, "choice", Text("Type", "Тип"), Text("Left out: that of the value. Dates must say it.", "Не указан: тип значения. Для даты обязателен.")),
    "value": Field(40, "value", Text("Value", "Значение")),
    "Did.value": Field(40, "count", Text("Times", "Раз")),
    "Distinct.value": Field(40, "count", Text("Values", "Значений")),
    "Total.value": Field(40, "amount", Text("Amount", "Величина")),
    "Average.value": Field(40, "amount", Text("Amount", "Величина")),
    "age": Field(40, "duration", Text("How long ago", "Как давно")),
    "where": Field(50, "tests", Text("Where", "Где"), Text("All of these tests are true of one event.", "Все проверки верны для одного события.")),
    "lines": Field(52, "lines", Text("Lines", "Строки"), Text("Tests of one element of a list.", "Проверки одного элемента списка.")),
    "without": Field(54, "happening", Text("Without", "Без")),
    "within": Field(60, "duration", Text("Within the last", "За последние"), Text("Left out: ever.", "Не указано: за всё время.")),
    "Sequence.within": Field(60, "duration", Text("Within", "В течение"), Text("Between the two.", "Между двумя событиями.")),
    "window": Field(62, "window", Text("Period", "Период"), Text("In place of the last so many days.", "Вместо последних дней.")),
    "last": Field(64, "duration", Text("The second within the last", "Второе за последние"), Text("Left out: ever.", "Не указано: за всё время.")),
    "after": Field(56, "shift", Text("Later than", "Позже чем"), Text("From now, or from the date; negative: before it.", "От текущего момента или от даты; отрицательное: раньше неё.")),
    "Since.after": Field(56, "duration", Text("At least so long ago", "Не меньше чем назад")),
    "until": Field(58, "shift", Text("Not later than", "Не позже чем"), Text("From now, or from the date; negative: before it.", "От текущего момента или от даты; отрицательное: раньше неё.")),
    "since": Field(56, "instant", Text("From", "С")),
    "Between.until": Field(58, "instant", Text("Before", "Раньше")),
    "unit": Field(20, "choice", Text("Unit", "Единица")),
    "back": Field(30, "count", Text("How many back", "Сколько назад"), Text("0: the current one so far.", "0: текущий, до этого момента.")),
    "zone": Field(70, "zone", Text("Time zone", "Часовой пояс"), Text("Of people whose own is unknown.", "Для тех, чей пояс неизвестен.")),
    "before": Field(30, "number", Text("Days before", "За сколько дней"), Text("Negative: after the day.", "Отрицательное: после дня.")),
    "days": Field(40, "count", Text("For how many days", "Сколько дней")),
    "year": Field(50, "choice", Text("In which years", "В какие годы"), Text("Left out: in each.", "Не указано: в каждый.")),
    "start": Field(30, "count", Text("From", "От"), Text("Of 10,000.", "Из 10 000.")),
    "end": Field(40, "count", Text("To", "До"), Text("Of 10,000.", "Из 10 000.")),
}  # fmt: skip

CHOICES: Mapping[str, Mapping[str, Text]] = {
    "op": {
        "exists": Text("is known", "известно"),
        "missing": Text("is unknown", "неизвестно"),
        "eq": Text("is", "равно"),
        "ne": Text("is known, but not", "известно, но не"),
        "in": Text("is one of", "одно из"),
        "gt": Text("more than", "больше"),
        "ge": Text("at least", "не меньше"),
        "lt": Text("less than", "меньше"),
        "le": Text("at most", "не больше"),
        "contains": Text("contains", "содержит"),
        "starts_with": Text("starts with", "начинается с"),
    },
    "Age.op": {"older": Text("so long ago or earlier", "столько назад или раньше"), "newer": Text("less long ago", "не так давно")},
    "type": {
        "number": Text("number", "число"),
        "string": Text("text", "текст"),
        "bool": Text("yes or no", "да или нет"),
        "date": Text("date", "дата"),
    },
    "which": {"first": Text("the first", "первый"), "last": Text("the last", "последний")},
    "channel": {
        "email": Text("e-mail", "e-mail"),
        "sms": Text("SMS", "SMS"),
        "telegram": Text("Telegram", "Telegram"),
        "vk": Text("VK", "VK"),
    },
    "purpose": {"marketing": Text("marketing", "реклама")},
    "state": {
        "granted": Text("has agreed", "согласен"),
        "denied": Text("has refused", "отказался"),
        "unproven": Text("has not confirmed", "не подтвердил"),
        "none": Text("has said nothing", "ничего не сказал"),
    },
    "year": {"each": Text("in each year", "в каждый год"), "own": Text("in the year of the date", "в год самой даты")},
    "unit": {
        "day": Text("day", "день"),
        "week": Text("week", "неделя"),
        "month": Text("month", "месяц"),
        "quarter": Text("quarter", "квартал"),
        "year": Text("year", "год"),
    },
}
