"""The ready mappings on exports as mailers and shops write them."""

from pathlib import Path

import pytest
import yaml

from services.ingest.domain import suggest
from tests.ingest.test_rows import facts_of, refused_of, run

READY = Path(__file__).parents[2] / "deploy" / "imports"
SENT, SEEN = ["Email Sent", "Email Delivered", "Email Opened"], ["Email Link Clicked"]
SUBSCRIPTIONS = """E-mail,Имя,Статус,Дата подписки,Страница подписки,Тема подписки
a@x.ru,А,Активный,2024-01-31,https://x.ru/,news
b@x.ru,Б,Отписан,2024-01-31,,news
c@x.ru,В,Активный,2024-01-31,,
"""
LETTERS = """Email,Название рассылки,Отправлено,Доставлено,Прочитано,Переход
a@x.ru,Зима,2024-01-31 10:00,2024-01-31 10:01,2024-02-01 09:00,
b@x.ru,Зима,,,,2024-02-01 09:00
"""
EXPORTS = [
    ("contacts", "Email;Имя;Телефон;Дата рождения\nann@x.ru;Анна;8 916 123-45-67;31.12.1990\n", ["identify"]),
    (
        "subscriptions",
        SUBSCRIPTIONS,
        ["identify", "Consent Granted", "identify", "Consent Withdrawn"],
    ),
    ("subscriptions", "email,subscribed,opt_in_time,optin_ip\na@x.ru,1,2024-01-31,203.0.113.7\n", ["identify", "Consent Granted"]),
    ("unsubscribes", "Email;Дата отписки\na@x.ru;31.01.2024 10:00\n", ["Consent Withdrawn"]),
    ("unsubscribes", "email,status\na@x.ru,unsubscribed\nb@x.ru,bounced\n", ["Consent Withdrawn", "Consent Withdrawn"]),
    (
        "history",
        LETTERS,
        SENT + SEEN,
    ),
    ("history", "email;campaign;event;event_time\na@x.ru;Winter;ok_read;2024-02-01T09:00:00\n", ["Email Opened"]),
    (
        "orders",
        "ID клиента;Номер заказа;Дата заказа;Артикул;Количество;Цена\n17;1;31.01.2024;A;2;1 000,50\n17;1;31.01.2024;B;1;10\n",
        ["Order Completed"],
    ),
]


@pytest.mark.parametrize(("ready", "text", "says"), EXPORTS)
def test_a_ready_mapping_reads_an_export(ready, text, says):
    closed = run(text, yaml.safe_load((READY / f"{ready}.yaml").read_text()), region="RU")
    assert [f.event or f.type for f in facts_of(closed)] == says, refused_of(closed)
    assert len(refused_of(closed)) == ("В,Активный" in text)


@pytest.mark.parametrize("ready", ["unsubscribes", "subscriptions"])
def test_bad_addresses_and_complaints_have_their_own_facts(ready):
    text = "email,bounced_at,complained_at\na@x.ru,2024-01-31,\nb@x.ru,,2024-02-01\n"
    closed = run(text, yaml.safe_load((READY / f"{ready}.yaml").read_text()), region="RU")
    said = [(f.event, f.identifiers, f.properties) for f in facts_of(closed) if f.event]
    hard = {"type": "hard"}
    assert said == [("Email Bounced", ("email:a@x.ru",), hard), ("Email Marked as Spam", ("email:b@x.ru",), {})]


@pytest.mark.parametrize(("ready", "text", "says"), EXPORTS)
def test_the_suggestion_for_an_export_follows_the_ready_one(ready, text, says):
    line = text.partition("\n")[0]
    assert suggest(line.split(";" if ";" in line else ","))[0] in (ready, "subscriptions")


def test_every_ready_mapping_is_tried():
    assert {ready for ready, _, _ in EXPORTS} == {path.stem for path in READY.glob("*.yaml")}
