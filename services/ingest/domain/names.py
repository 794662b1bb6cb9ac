"""Names of columns: twins are told apart, and a field's neutral name stands for the spellings that files of the field have for it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

_MARKS = re.compile(r"[\W_]+")

# Neutral name -> spellings, as `folded` leaves them; the neutral name itself is one. A spelling belongs to one name only.
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "user_id": ("userid", "customer_id", "client_id", "external_id", "ид_клиента", "id_клиента", "код_клиента", "внешний_id"),
    "email": ("e_mail", "mail", "email_address", "subscriber", "почта", "эл_почта", "электронная_почта", "имейл", "адрес_email"),
    "phone": ("tel", "telephone", "mobile", "mobile_phone", "phone_number", "msisdn", "телефон", "мобильный", "номер_телефона"),
    "telegram_id": ("telegram", "tg_id", "телеграм", "id_telegram", "телеграм_id"),
    "vk_id": ("vk", "vkontakte", "вк", "id_vk", "вконтакте"),
    "anonymous_id": ("device_id", "cookie_id", "device_uuid"),
    "name": ("full_name", "fullname", "fio", "фио", "полное_имя"),
    "first_name": ("firstname", "given_name", "имя"),
    "last_name": ("lastname", "surname", "family_name", "фамилия"),
    "middle_name": ("middlename", "patronymic", "отчество"),
    "birthday": ("birth_date", "birthdate", "date_of_birth", "dob", "дата_рождения", "день_рождения"),
    "gender": ("sex", "пол"),
    "city": ("town", "город"),
    "country": ("country_code", "страна"),
    "language": ("lang", "locale", "язык"),
    "company": ("organisation", "organization", "организация", "компания"),
    "created_at": ("registered_at", "registration_date", "created", "дата_регистрации", "дата_создания", "зарегистрирован"),
    "status": ("email_status", "subscription_status", "state", "статус", "статус_подписки", "статус_email"),
    "subscribed": ("is_subscribed", "subscription", "opt_in", "подписан", "подписка", "согласие", "согласие_на_рассылку"),
    "subscribed_at": ("subscription_date", "confirm_time", "opt_in_time", "optin_time", "дата_подписки", "дата_согласия"),
    "unsubscribed_at": ("unsubscribe_date", "optout_time", "unsubscribed", "дата_отписки", "отписан", "отписался"),
    "topic": ("list", "list_name", "mailing_list", "segment", "список", "рассылка_тема", "тема_подписки", "подписной_лист"),
    "consent_text": ("text_of_consent", "текст_согласия", "формулировка_согласия"),
    "consent_page": ("confirm_url", "opt_in_url", "signup_url", "страница_подписки", "источник_согласия"),
    "consent_ip": ("optin_ip", "confirm_ip", "ip", "ip_address", "ip_адрес", "ip_подписки"),
    "consent_form": ("form", "form_id", "форма", "форма_подписки"),
    "event": ("action", "event_type", "mail_status", "событие", "действие", "тип_события", "статус_письма", "статус_доставки"),
    "occurred_at": ("date", "time", "datetime", "timestamp", "event_time", "event_date", "дата", "время", "дата_события"),
    "sent_at": ("sent", "send_date", "send_time", "отправлено", "дата_отправки"),
    "delivered_at": ("delivered", "delivery_date", "доставлено", "дата_доставки"),
    "opened_at": ("opened", "open_date", "open_time", "прочитано", "открыто", "дата_открытия", "дата_прочтения"),
    "clicked_at": ("clicked", "click_date", "click_time", "клик", "переход", "дата_клика", "дата_перехода"),
    "bounced_at": ("bounced", "bounce_date", "bounce_time", "дата_недоставки", "не_доставлено", "недоставлено"),
    "complained_at": ("complained", "spam_date", "complaint_date", "жалоба", "дата_жалобы", "жалоба_на_спам"),
    "campaign_id": ("mailing_id", "letter_id", "id_рассылки", "ид_рассылки", "id_письма"),
    "campaign_name": ("campaign", "mailing", "mailing_name", "рассылка", "название_рассылки", "кампания"),
    "subject": ("letter_subject", "mail_subject", "тема", "тема_письма"),
    "link": ("url", "clicked_url", "link_url", "ссылка"),
    "order_id": ("order", "order_number", "invoice_no", "invoiceno", "invoice", "заказ", "номер_заказа", "id_заказа"),
    "ordered_at": ("order_date", "order_time", "invoice_date", "invoicedate", "дата_заказа", "дата_покупки"),
    "revenue": ("total", "amount", "order_total", "sum", "сумма", "сумма_заказа", "итого"),
    "currency": ("currency_code", "валюта"),
    "sku": ("product_id", "stockcode", "article", "артикул", "код_товара", "id_товара"),
    "product_name": ("product", "description", "товар", "название_товара", "наименование"),
    "quantity": ("qty", "count", "количество", "кол_во"),
    "price": ("unit_price", "unitprice", "цена", "цена_за_единицу"),
}  # fmt: skip
_NAMED = {spelling: name for name, spellings in SPELLINGS.items() for spelling in (name, *spellings)}


def folded(name: str) -> str:
    """One spelling of what differs in case, spaces and punctuation: "E-Mail" -> "e_mail"."""
    return _MARKS.sub("_", name.casefold().replace("ё", "е")).strip("_")


def neutral(name: str) -> str | None:
    """The neutral name of a column that files of the field have under this one; None: it is none of those."""
    return _NAMED.get(folded(name))


class Columns:
    """A header. names: one for each column and no two alike: "Tel (1)" and "Tel (2)", or "column 7" for one that has none."""

    def __init__(self, header: Sequence[str]) -> None:
        self._plain = [name.strip() for name in header]
        self.names = _apart(self._plain)
        self._index = {name: at for at, name in enumerate(self.names)}

    def find(self, column: str) -> list[int]:
        """Which columns are meant by a name: one, none, or the several that it may be. Exact names come before neutral ones."""
        column = column.strip()
        if (at := self._index.get(column)) is not None:
            return [at]
        if twins := [at for at, name in enumerate(self._plain) if name == column and name]:
            return twins
        return [at for at, name in enumerate(self._plain) if neutral(name) == column] if column in SPELLINGS else []


def _apart(plain: Sequence[str]) -> tuple[str, ...]:
    counts, seen, names = Counter(plain), Counter[str](), list[str]()
    for number, name in enumerate(plain, start=1):
        seen[name] += 1
        made = f"column {number}" if not name else f"{name} ({seen[name]})" if counts[name] > 1 else name
        while made in names or (made != name and made in counts):
            made += "'"
        names.append(made)
    return tuple(names)
