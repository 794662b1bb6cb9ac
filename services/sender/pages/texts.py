"""The words of the pages, by language."""

from collections.abc import Mapping
from typing import NamedTuple


class Texts(NamedTuple):
    """One language. {brand}, {to}: filled in by the page."""

    other: str  # the name of the other language, in that language
    gone: str
    gone_more: str
    expired: str
    expired_more: str
    again: str
    unsubscribe: str
    unsubscribe_ask: str
    unsubscribe_yes: str
    unsubscribed: str
    unsubscribed_more: str
    preferences: str
    preferences_lead: str
    everything: str
    tree_hint: str
    save: str
    all_off: str
    saved: str
    unchanged: str
    is_off: str
    confirm: str
    confirm_ask: str
    confirm_yes: str
    confirmed: str
    confirmed_more: str
    nothing_to_confirm: str
    nothing_to_confirm_more: str
    attend: str
    attend_yes: str
    attending: str
    channels: Mapping[str, str]


EN = Texts(
    other="Русский",
    gone="This link is not valid",
    gone_more="Perhaps it was cut off on its way. Open it from the letter once more. Nothing has been changed.",
    expired="This link has expired",
    expired_more="It is too old, or we do not keep your data any more. Nothing has been changed.",
    again="We could not save it just now. Please try again in a minute.",
    unsubscribe="Unsubscribe",
    unsubscribe_ask="Do you want to stop these messages?",
    unsubscribe_yes="Yes, unsubscribe me",
    unsubscribed="You are unsubscribed.",
    unsubscribed_more="No marketing of {brand} comes by this channel any more.",
    preferences="Your subscriptions",
    preferences_lead="Choose what {brand} may send you.",
    everything="All messages",
    tree_hint="Switching a heading off switches off all below it. You can switch single topics on again afterwards.",
    save="Save",
    all_off="Switch everything off",
    saved="Saved.",
    unchanged="Nothing has changed.",
    is_off="Everything is off. Messages about your orders and your account still come.",
    confirm="Confirm your subscription",
    confirm_ask="{brand} may write to {to} about:",
    confirm_yes="Yes, I confirm",
    confirmed="Thank you, your subscription is confirmed.",
    confirmed_more="You can change or end it at any time by the link in every letter.",
    nothing_to_confirm="There is nothing to confirm",
    nothing_to_confirm_more="Your subscription is confirmed already, you have unsubscribed since, or you have another address by now. Nothing has been changed.",
    attend="Will you come?",
    attend_yes="Yes, I will come",
    attending="Thank you, we have noted that you will come.",
    channels={"email": "E-mail", "sms": "SMS", "telegram": "Telegram", "vk": "VK"},
)
RU = Texts(
    other="English",
    gone="Ссылка недействительна",
    gone_more="Возможно, она обрезалась по дороге. Откройте её из письма ещё раз. Ничего не изменилось.",
    expired="Ссылка больше не действует",
    expired_more="Она слишком старая, или ваших данных у нас больше нет. Ничего не изменилось.",
    again="Сейчас не получилось сохранить. Попробуйте ещё раз через минуту.",
    unsubscribe="Отписка",
    unsubscribe_ask="Отписаться от этих сообщений?",
    unsubscribe_yes="Да, отписаться",
    unsubscribed="Вы отписаны.",
    unsubscribed_more="Рассылки «{brand}» по этому каналу больше не придут.",
    preferences="Ваши подписки",
    preferences_lead="Выберите, о чём вам может писать «{brand}».",
    everything="Все сообщения",
    tree_hint="Если выключить раздел, выключится всё внутри него. Отдельные темы потом можно включить снова.",
    save="Сохранить",
    all_off="Отключить всё",
    saved="Сохранено.",
    unchanged="Ничего не изменилось.",
    is_off="Всё отключено. Сообщения о ваших заказах и вашем аккаунте приходить будут.",
    confirm="Подтвердите подписку",
    confirm_ask="«{brand}» может писать на {to} о следующем:",
    confirm_yes="Да, подтверждаю",
    confirmed="Спасибо, подписка подтверждена.",
    confirmed_more="Изменить её или отказаться можно в любой момент по ссылке в каждом письме.",
    nothing_to_confirm="Подтверждать нечего",
    nothing_to_confirm_more="Подписка уже подтверждена, вы с тех пор отписались, или у вас теперь другой адрес. Ничего не изменилось.",
    attend="Вы придёте?",
    attend_yes="Да, приду",
    attending="Спасибо, мы отметили, что вы придёте.",
    channels={"email": "Почта", "sms": "SMS", "telegram": "Telegram", "vk": "ВКонтакте"},
)
TEXTS: Mapping[str, Texts] = {"en": EN, "ru": RU}
