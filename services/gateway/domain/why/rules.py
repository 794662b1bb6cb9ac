"""The texts of rules and verdicts. A name that ends with ":" stands for all that begin with it; what follows is `{arg}`.

Further parameters: {of}: what a verdict names beside its rule; {most}, {window}, {from}, {to}: of the rule's document; {document}: which that is.
"""

from collections.abc import Mapping

from services.gateway.domain.faults import Text

VERDICTS: Mapping[str, Text] = {
    "entered": Text("he entered (version {version})", "вошёл (версия {version})"),
    "left": Text("he left", "вышел"),
    "goal": Text("he reached the goal, and that ended it", "достиг цели, на этом всё закончилось"),
    "moved": Text("he goes on in version {version}", "идёт дальше по версии {version}"),
    "exposed": Text("he fell into the arm “{arm}”", "попал в ветку «{arm}»"),
    "sent": Text("the message was given to the sender", "сообщение передано отправителю"),
    "accepted": Text("the provider took the message", "провайдер принял сообщение"),
    "deferred": Text("the message was put off until {until}", "сообщение отложено до {until}"),
    "skipped": Text("nothing was sent", "ничего не отправлено"),
    "would_have_sent": Text("it would have been sent, and was not", "было бы отправлено, но не отправлено"),
    "late": Text(
        "the message did not get away in its time and is decided anew", "сообщение не успело уйти в своё время, решается заново"
    ),
    "held": Text("the message was held back", "сообщение придержано"),
    "failed": Text("the message failed", "отправить не удалось"),
    "in_doubt": Text("nobody knows whether the provider took the message", "неизвестно, принял ли провайдер сообщение"),
    "unknown": Text("whether the message went was never learnt", "ушло ли сообщение, так и не узнали"),
    "purged": Text("he was to be taken out of the base", "его велено убрать из базы"),
    "kept": Text("he was kept in the base", "он оставлен в базе"),
    "fallback": Text("the channel `{channel}` was left", "канал `{channel}` оставлен"),
    "given": Text("he was given a promo code", "ему выдан промокод"),
    "returned": Text("the promo code went back to its pool", "промокод вернулся в свой пул"),
}

RULES: Mapping[str, Text] = {
    # ---- entry and ways
    "audience": Text("he did not meet the condition of the audience then", "он тогда не подходил под условие аудитории"),
    "reentry": Text("the journey lets nobody in again so soon", "цепочка так скоро повторно не впускает"),
    "goal": Text("its goal is reached", "цель уже достигнута"),
    "exit_segment": Text("he left the segment that it needs", "он вышел из нужного ей сегмента"),
    "end": Text("he came to its end", "дошёл до конца"),
    "jump:": Text("he goes on in the journey `{arg}`", "переходит в цепочку `{arg}`"),
    "loop": Text(
        "the steps led back at one instant: they would never have ended",
        "шаги вернулись сами к себе в один миг: иначе им не было бы конца",
    ),
    "no_version": Text("that version of the document is gone", "этой версии документа больше нет"),
    "merged": Text(
        "two profiles are one person, and the other one's way goes on",
        "два профиля оказались одним человеком, продолжается другой его путь",
    ),
    "migration": Text("so was chosen when a new version was published", "так выбрали при публикации новой версии"),
    "ended": Text("the journey was ended", "цепочка завершена"),
    "paused": Text("it is paused", "стоит на паузе"),
    "stopped": Text("the launch was stopped", "запуск остановлен"),
    "archived": Text("the journey is archived and lets nobody in", "цепочка в архиве и никого не впускает"),
    "missed": Text("he became known too late: its time of that day was over", "о нём узнали поздно: время этого дня уже прошло"),
    "date_changed": Text("the day became another one before its time", "до этого времени дата стала другой"),
    "another": Text("he began another dialogue", "начал другой диалог"),
    "menu": Text("he went to the menu", "перешёл в меню"),
    "expired": Text("it was worth sending only so long, and that is over", "срок, пока это стоило отправлять, вышел"),
    "arm:": Text("by chance, the same each time", "по жребию, каждый раз одинаковому"),
    # ---- campaigns
    "excluded": Text("he meets the condition that excludes people", "он подходит под условие исключения"),
    "local_time": Text("it begins by his own clock", "начало — по его местному времени"),
    # ---- cascades: why a channel is left
    "skipped": Text("the sender may not write to him there", "туда ему писать нельзя"),
    "failed": Text("it failed there", "там отправить не удалось"),
    "bounced": Text("the provider took it and could not deliver it", "провайдер принял сообщение, но не доставил"),
    "not_delivered": Text("it was not delivered in its time", "за отведённое время не доставлено"),
    "not_read": Text("it was not read in its time", "за отведённое время не прочитано"),
    "in_doubt": Text("nobody knows whether it went there", "неизвестно, ушло ли оно туда"),
    "already_read": Text("he has read it over another channel", "он уже прочитал это по другому каналу"),
    # ---- promo codes and managers
    "promo_pool": Text("out of the pool `{pool}`", "из пула `{pool}`"),
    "promo_pool_empty": Text("the pool `{pool}` has no code left", "в пуле `{pool}` не осталось кодов"),
    "promo_pool_expired": Text("the codes of the pool `{pool}` are out of date", "срок кодов пула `{pool}` вышел"),
    "promo_pool_closed": Text("there is no pool `{pool}` in force", "пул `{pool}` не действует"),
    "promo_never_sent": Text("no message with it ever went out", "ни одно сообщение с ним так и не ушло"),
    "handoff": Text("a manager is told of him", "о нём сообщают менеджеру"),
    "no_manager": Text("no address of his manager is known", "адрес его менеджера неизвестен"),
    "unknown_person": Text(
        "nothing is known of the person that could be told", "о человеке нечего сообщить: о нём ничего не известно"
    ),
    "webhook:": Text("the endpoint cannot be called ({arg})", "адрес вызова недоступен ({arg})"),
    # ---- places in events
    "seat": Text("a seat of the event became his", "он получил место на мероприятии"),
    "event_full": Text("all seats are taken: he waits for one", "мест нет: он ждёт, пока освободится"),
    "event_selection": Text("the seats are given by selection, which is still to come", "места дают по отбору, он ещё впереди"),
    "event_not_selected": Text("he was not selected", "его не отобрали"),
    "registration_closed": Text("registration was closed then", "регистрация тогда была закрыта"),
    "registration_cancelled": Text("he cancelled his registration, and his seat is free", "он отменил регистрацию, место свободно"),
    "attendance_unconfirmed": Text(
        "he did not say in time that he comes: he takes part online", "он не подтвердил вовремя, что придёт: участвует онлайн"
    ),
    "event_cancelled": Text("the event is cancelled", "мероприятие отменено"),
    "event_turn": Text("his place in the event is another one now, or none", "его место на мероприятии теперь другое, или его нет"),
    # ---- rules over everything that is sent
    "cap:": Text(
        "the cap “{of}”{document}: at most {most} of this class {window}",
        "ограничение «{of}»{document}: не больше {most} этого класса {window}",
    ),
    "same_day": Text(
        "triggered and mass messages do not share one day{document}", "триггерные и массовые не приходят в один день{document}"
    ),
    "quiet_hours": Text(
        "it is quiet from {from} to {to} of his time{document}", "с {from} до {to} его времени тихие часы{document}"
    ),
    "send_window": Text("it is outside the hours of `{of}` by his time", "сейчас не время отправки по `{of}` на его часах"),
    "priority": Text(
        "a more important message goes first, or he has just got another one",
        "сначала идёт более важное сообщение, или он только что получил другое",
    ),
    "manager_only": Text("only his manager writes to him{document}", "ему пишет только менеджер{document}"),
    "global_control": Text(
        "he is in the control group that gets no marketing{document}", "он в контрольной группе, которой ничего не шлют{document}"
    ),
    "local_control": Text("he is in the control group of this experiment ({of})", "он в контрольной группе этого опыта ({of})"),
    "order": Text(
        "an earlier message of the same chain (`{of}`) is not through yet",
        "более раннее сообщение цепочки (`{of}`) ещё не дошло до конца",
    ),
    "parted": Text(
        "he was taken for another person, and how to reach him is not known yet",
        "его принимали за другого человека, и ещё не известно, как ему писать",
    ),
    "already_sent": Text("this step was sent to him before", "этот шаг ему уже отправлен"),
    # ---- addresses and permission
    "no_address": Text("there is no address of his for this channel", "нет его адреса для этого канала"),
    "same_address": Text(
        "this address has got the message under another profile", "на этот адрес сообщение уже ушло другому профилю"
    ),
    "address_changed": Text("his address changed meanwhile", "его адрес тем временем сменился"),
    "consent": Text("he has not agreed to this, or took it back", "он на это не соглашался или отказался"),
    "nothing_to_confirm": Text("there is no request that he could confirm", "нет запроса, который он мог бы подтвердить"),
    "stale_consent": Text("what is known of consents was too old to rely on", "сведения о согласиях были слишком старыми"),
    "suppressed:": Text(
        "the address is refused since it failed for good ({arg})", "адрес закрыт после окончательной ошибки ({arg})"
    ),
    "policy:": Text("the law forbids it ({arg})", "это запрещает закон ({arg})"),
    # ---- the sender
    "not_after": Text("its slot was over", "отведённое время вышло"),
    "template:": Text("the template has a fault ({arg})", "ошибка в шаблоне ({arg})"),
    "provider:": Text("the provider answered: {arg}", "ответ провайдера: {arg}"),
    "process ended": Text("the process ended in the middle of the call", "процесс оборвался посреди вызова"),
    "in_doubt:": Text("nothing was heard for {arg}", "за {arg} ничего не услышали"),
    "reconciled:": Text("what he did in the message shows it", "это видно по тому, что он сделал с сообщением"),
    "repeat": Text("it is called again, as its class allows", "вызов повторяется, её класс это позволяет"),
    # ---- taking people out
    "purge:": Text("the step says so ({arg})", "так велит шаг ({arg})"),
    "keep": Text("he meets the condition that keeps people", "он подходит под условие, по которому людей оставляют"),
    "bought": Text("he has bought something", "он что-то покупал"),
    "agreed": Text("he has agreed to something", "он на что-то соглашался"),
}
WINDOWS: Mapping[str, Text] = {
    "day": Text("a day", "в день"),
    "week": Text("a week", "в неделю"),
    "month": Text("a month", "в месяц"),
}
WITHIN = Text("within {window}", "за {window}")
STEP = Text("Step `{step}`: ", "Шаг `{step}`: ")
OF_DOCUMENT = Text(" (rule `{key}`)", " (правило `{key}`)")
NOTHING = Text(
    "Nothing was ever decided about him here: nothing that starts it was heard of him.",
    "О нём здесь ничего не решали: ничего, что это запускает, о нём не слышали.",
)
DAYS = Text(
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday", "понедельник вторник среда четверг пятница суббота воскресенье"
)
MONTHS = Text(
    "January February March April May June July August September October November December",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
)


def text_of(rule: str) -> tuple[Text, str] | None:
    """(text, what follows the prefix); None: there is no such rule."""
    if rule in RULES:
        return RULES[rule], ""
    prefix, parted, arg = rule.partition(":")
    found = RULES.get(prefix + parted) if parted else None
    return (found, arg) if found is not None else None
