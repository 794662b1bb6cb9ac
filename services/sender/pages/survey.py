"""What stands on the page of a survey: one question at a time. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from schemas.surveys import Question, Survey, Texts

STYLE = """
:root{--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--bad:#f2b8b5}}
h1{font-size:1.125rem;font-weight:600;margin:0 0 1rem;opacity:.8}
fieldset{border:0;margin:0 0 1.5rem;padding:0;min-width:0}
legend{font-size:1.375rem;line-height:1.3;font-weight:600;margin:0 0 1rem;padding:0}
.bad{color:var(--bad);font-weight:600}
.marks{display:grid;grid-template-columns:repeat(auto-fit,minmax(2.9rem,1fr));gap:.375rem}
.ends{display:flex;justify-content:space-between;font-size:.875rem;opacity:.75;margin-top:.5rem}
label.one{display:block;position:relative;border:1px solid var(--edge);border-radius:.625rem;padding:.75rem;min-height:3rem}
label.one+label.one{margin-top:.5rem}
.marks label.one,.marks label.one+label.one{margin:0;padding:.75rem .25rem;text-align:center}
label.one input{position:absolute;opacity:0;inset:0;width:100%;height:100%;margin:0;cursor:pointer}
label.one:has(:checked){border-color:var(--ink);box-shadow:inset 0 0 0 1px var(--ink);font-weight:600}
label.one:has(:focus-visible){outline:3px solid var(--ink);outline-offset:2px}
.field{display:block;width:100%;padding:.75rem;font:inherit;color:inherit;background:transparent;border:1px solid var(--edge);border-radius:.625rem}
.field:focus{outline:3px solid var(--ink);outline-offset:1px}
textarea.field{min-height:8rem;resize:vertical}
"""
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "next": "Next",
        "send": "Send",
        "yes": "Yes",
        "no": "No",
        "low": "Not at all likely",
        "high": "Extremely likely",
        "mail": "Your e-mail",
        "thanks": "Thank you for your answers.",
        "again": "You have answered already. Thank you!",
        "unknown": "This link is not valid.",
        "later": "The answer could not be kept. Please send it again in a minute.",
        "required": "Please answer this question.",
        "choose": "Please choose one of these.",
        "range": "This number is not possible here.",
        "number": "Please give a number.",
        "date": "Please give a date such as 2026-03-31.",
        "long": "That is too long: at most 2,000 characters.",
        "address": "Please give a full e-mail address.",
    },
    "ru": {
        "next": "Дальше",
        "send": "Отправить",
        "yes": "Да",
        "no": "Нет",
        "low": "Точно нет",
        "high": "Точно да",
        "mail": "Ваш e-mail",
        "thanks": "Спасибо за ответы.",
        "again": "Вы уже ответили. Спасибо!",
        "unknown": "Ссылка недействительна.",
        "later": "Ответ не сохранился. Отправьте его ещё раз через минуту.",
        "required": "Ответьте, пожалуйста, на этот вопрос.",
        "choose": "Выберите один из вариантов.",
        "range": "Такое число здесь невозможно.",
        "number": "Нужно число.",
        "date": "Нужна дата, например 2026-03-31.",
        "long": "Слишком длинно: не больше 2000 знаков.",
        "address": "Укажите адрес e-mail полностью.",
    },
}


@dataclass(frozen=True, slots=True)
class Step:
    """A question as it is shown. given: what is chosen already; kept: (name, value) of what was answered before, which goes along.

    fault, mail_fault: a word of WORDS, where the last answer, or the address, could not be read; mail: the address asked for, None: none is.
    """

    question: Question
    given: Sequence[str] = ()
    kept: Sequence[tuple[str, str]] = ()
    fault: str = ""
    mail: str | None = None
    mail_fault: str = ""
    mail_required: bool = False
    first: bool = False
    last: bool = False


def text(texts: Texts, language: str) -> str:
    """In this language, or in the one that there is."""
    return texts.get(language) or next(iter(texts.values()))  # type: ignore[call-overload]


def ask(survey: Survey, step: Step, language: str) -> str:
    """The form that asks one question."""
    question, words = step.question, WORDS[language]
    intro = f"<p>{escape(text(survey.intro, language))}</p>" if step.first and survey.intro else ""
    note = f"<p>{escape(text(question.note, language))}</p>" if question.note else ""
    hidden = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in step.kept)
    hidden += f'<input type="hidden" name="at" value="{escape(question.id)}">'
    button = words["send" if step.last else "next"]
    form = (
        f'<form method="post" action="?">{hidden}<fieldset><legend>{escape(text(question.text, language))}</legend>{note}'
        f"{_fault(step.fault, words)}{_field(question, step.given, language)}</fieldset>{_mail(step, words)}"
        f"<button>{escape(button)}</button></form>"
    )
    return f"{intro}{form}"


def say(words: str, language: str) -> str:
    """One sentence: thanks, a result, or what is wrong."""
    return f"<p>{escape(WORDS[language].get(words, words))}</p>"


def _fault(code: str, words: Mapping[str, str]) -> str:
    return f'<p class="bad" role="alert">{escape(words[code])}</p>' if code else ""


def _mail(step: Step, words: Mapping[str, str]) -> str:
    if step.mail is None:
        return ""
    required = " required" if step.mail_required else ""
    return (
        f"<fieldset><legend>{escape(words['mail'])}</legend>{_fault(step.mail_fault, words)}"
        f'<input class="field" type="email" name="email" autocomplete="email" maxlength="254" value="{escape(step.mail)}"{required}></fieldset>'
    )


def _field(question: Question, given: Sequence[str], language: str) -> str:
    name, words = f"q.{question.id}", WORDS[language]
    required = " required" if question.required else ""
    if question.kind in ("nps", "scale"):
        low, high = question.bounds
        numbers = [str(number) for number in range(low or 0, (high or 0) + 1)]
        ends = f'<div class="ends"><span>{words["low"]}</span><span>{words["high"]}</span></div>' if question.kind == "nps" else ""
        return f'<div class="marks">{_choices("radio", name, zip(numbers, numbers, strict=True), given, required)}</div>{ends}'
    if question.kind == "yes_no":
        return _choices("radio", name, [("yes", words["yes"]), ("no", words["no"])], given, required)
    if question.kind in ("choice", "choices"):
        options = [(option.key, text(option.text, language)) for option in question.options]
        if question.kind == "choice":
            return _choices("radio", name, options, given, required)
        return _choices("checkbox", name, options, given, "")  # the browser would ask for every one of them
    value = escape(given[0]) if given else ""
    if question.kind == "text":
        return f'<textarea class="field" name="{name}" maxlength="2000"{required}>{value}</textarea>'
    kind = {"date": 'type="date"', "number": 'type="text" inputmode="decimal"'}[question.kind]
    return f'<input class="field" {kind} name="{name}" value="{value}"{required}>'


def _choices(kind: str, name: str, options: Iterable[tuple[str, str]], given: Sequence[str], required: str) -> str:
    return "".join(
        f'<label class="one"><input type="{kind}" name="{name}" value="{escape(key)}"'
        f"{' checked' if key in given else ''}{required}>{escape(words)}</label>"
        for key, words in options
    )
