"""Surveys at their addresses: `/s/{key}/{token}` for whom a letter was sent to, `/s/{key}` for everybody. GET shows, POST answers.

Each answer leaves as a fact when it is given, so one who stops in the middle has answered what he has. An answer counts once: of a
second one to the same question of the same link nothing is taken. What it has come to is kept until the end, its content is not: points,
result and the way to the next question are of what was counted, whatever a form says.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from runtime.clock import Clock
from runtime.db import TRANSIENT, Database
from runtime.definitions import Definitions
from runtime.kafka import SendFailed
from runtime.publisher import Full
from schemas import surveys
from schemas.definitions import Published
from schemas.facts import Fact
from schemas.identifiers import email
from schemas.ids import derive
from schemas.journeys import Brand
from schemas.surveys import Answer, Counted, Question, Survey, Unreadable
from services.sender import links
from services.sender import survey_runs as runs
from services.sender.pages import shell
from services.sender.pages.survey import STYLE, Step, ask, say, text
from services.sender.visitors import READABLE_MS, Visitors

SOURCE = "surveys"
MOST = 64_000  # bytes of a form: of one question
NOT_KEPT: tuple[type[BaseException], ...] = (SendFailed, Full, *TRANSIENT)

REVISION = "SELECT revision FROM definition_revision"

Form = Mapping[str, list[str]]


class Visit(NamedTuple):
    """Somebody at a survey. run: of his answers, which he may give until then (ms); person, message: of a personal link; word: of an open page."""

    survey: Survey
    run: str
    until: int
    language: str
    person: str | None = None
    message: str | None = None
    word: str = ""


class Given(NamedTuple):
    """What a form adds, as far as it can be read, and all that counts with it. current: the question to show, None at the end; fault: of
    its answer.
    """

    answers: dict[str, Answer | None]
    counted: dict[str, Counted]
    current: Question | None
    fault: str = ""


class Known(NamedTuple):
    """The surveys in force, and the languages of brands."""

    surveys: dict[str, Survey]
    languages: dict[str, str]


class Surveys:
    """The pages. An answer is thanked for only after Kafka has it."""

    def __init__(self, db: Database, visitors: Visitors, keys: links.Keys, clock: Clock) -> None:
        self._db, self._visitors, self._keys, self._clock = db, visitors, keys, clock
        self._definitions = Definitions(("survey", "brand"), _build)

    def routes(self) -> list[Route]:
        return [
            Route("/s/{key}", self.show, methods=["GET"]),
            Route("/s/{key}/{token}", self.show, methods=["GET"]),
            Route("/s/{key}", self.answer, methods=["POST"]),
            Route("/s/{key}/{token}", self.answer, methods=["POST"]),
        ]

    async def show(self, request: Request) -> HTMLResponse:
        """The question at which he is; `?<question>=<answer>`, as a letter's numbers have it, chooses the answer and sends nothing."""
        now = (await self._clock.now())[0]
        visit = await self._visit(request, runs.word_of(now, self._keys), now)
        if isinstance(visit, int):
            return _said(None, "unknown", shell.language_of(request), visit)
        given = read(visit.survey, {}, await self._counted(visit.run))
        if given.current is None or runs.COMPLETE in given.counted:
            return _said(visit.survey, "again", visit.language)
        question = given.current
        chosen = request.query_params.getlist(question.id)
        return _page(visit, given, {f"q.{question.id}": chosen[:1] if question.kind != "choices" else chosen})

    async def answer(self, request: Request) -> HTMLResponse:
        """Take in what was answered and show what comes next."""
        form, now = await shell.form_of(request, MOST), (await self._clock.now())[0]
        if form is None:
            return _said(None, "unknown", shell.language_of(request), 404)
        visit = await self._visit(request, _one(form, "run"), now)
        if isinstance(visit, int):
            return _said(None, "unknown", shell.language_of(request), visit)
        counted = await self._counted(visit.run)
        if runs.COMPLETE in counted:
            return _said(visit.survey, "again", visit.language)
        given = read(visit.survey, form, counted)
        mail = _mail_of(visit, form)
        if mail is None:
            return _page(visit, Given({}, {}, visit.survey.questions[0]), form, "address")  # where it is asked for
        try:
            await self._keep(visit, given, mail, now)
        except NOT_KEPT:
            return _said(visit.survey, "later", visit.language, 503)
        if given.current is not None:
            return _page(visit, given, form)
        return _said(visit.survey, _thanks(visit, given.counted), visit.language)

    async def _visit(self, request: Request, word: str, now: int) -> Visit | int:
        """Or the status to answer: there is no such survey, or the link is not one of ours, or is over."""
        key, token = request.path_params["key"], request.path_params.get("token")
        async with self._db.connection() as connection:
            known = await self._definitions.at(connection, await connection.fetchval(REVISION))
        survey = known.surveys.get(key)
        if survey is None:
            return 404
        if token is None:
            if not survey.open or (until := runs.word_ends(word, now, self._keys)) is None:
                return 404
            language = shell.language_of(request, None, known.languages.get(survey.brand, "en"))
            return Visit(survey, derive("survey", "open", key, word), until, language, word=word)
        who = await self._visitors.somebody(request, links.Kind.SURVEY, expires=True)
        if isinstance(who, int):
            return who
        if who.intent.brand != survey.brand:
            return 404
        until = who.intent.received_at + READABLE_MS
        return Visit(survey, derive("survey", key, who.intent.id), until, who.language, who.person, who.intent.id)

    async def _counted(self, run: str) -> dict[str, Counted]:
        async with self._db.connection() as connection:
            return await runs.counted(connection, run)

    async def _keep(self, visit: Visit, given: Given, mail: str, now: int) -> None:
        """Publish what is new, then count it: what the log has and the table does not is sent again under the same ids."""
        new = [(one, given.answers.get(one.id)) for one in visit.survey.questions]
        facts = [_answered(visit, one, answer, mail, now) for one, answer in new if answer is not None]
        if given.current is None:
            facts.append(_completed(visit, given.counted, mail, now))
        await self._visitors.tell(facts)
        done = {id_: given.counted[id_] for id_ in given.answers}
        async with self._db.transaction() as connection:
            run = runs.Run(visit.run, visit.until, visit.message)
            await runs.keep(connection, run, done, now, complete=given.current is None)


def read(survey: Survey, form: Form, counted: Mapping[str, Counted]) -> Given:
    """Walk the survey with what has been counted, then with what the form says: to the first question that it does not answer, or whose
    answer cannot be read.

    `at`: the question that was shown, which is answered even by nothing where it need not be.
    """
    answers: dict[str, Answer | None] = {}
    after = dict(counted)
    while (question := surveys.next_question(survey, after)) is not None:
        name = f"q.{question.id}"
        if name not in form and question.id not in form.get("at", ()):
            return Given(answers, after, question)
        try:
            answers[question.id] = surveys.read_answer(question, form.get(name, []))
        except Unreadable as fault:
            return Given(answers, after, question, fault.code)
        after[question.id] = surveys.count(survey, question, answers[question.id])
    return Given(answers, after, None)


def _build(documents: Sequence[Published], _revision: int) -> Known:
    known = Known({}, {})
    for one in documents:
        if one.pointer and one.kind == "survey":
            known.surveys[one.key] = Survey.model_validate_json(bytes(one.body))
        elif one.pointer:
            known.languages[one.key] = Brand.model_validate_json(bytes(one.body)).language
    return known


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[0]


def _mail_of(visit: Visit, form: Form) -> str | None:
    """The address that was given; "": none, and none is needed; None: it must be given, or is no address."""
    if visit.person is not None or visit.survey.contact == "none":
        return ""
    said = _one(form, "email").strip()
    if not said:
        return "" if visit.survey.contact == "optional" else None
    return email(said)


def _page(visit: Visit, given: Given, form: Form, mail_fault: str = "") -> HTMLResponse:
    """The page of the current question. form: what was sent."""
    question = given.current
    assert question is not None
    first = question is visit.survey.questions[0]
    kept = [("run", visit.word)] if visit.word else []
    wants = visit.person is None and visit.survey.contact != "none"
    if wants and not first:
        kept.append(("email", _one(form, "email")))
    step = Step(
        question=question,
        given=form.get(f"q.{question.id}", ()),
        kept=kept,
        fault=given.fault,
        mail=_one(form, "email") if wants and first else None,
        mail_fault=mail_fault,
        mail_required=visit.survey.contact == "required",
        first=first,
        last=question is visit.survey.questions[-1],
    )
    faulty = given.fault or mail_fault
    return _whole(visit.survey, ask(visit.survey, step, visit.language), visit.language, 422 if faulty else 200)


def _said(survey: Survey | None, words: str, language: str, status: int = 200) -> HTMLResponse:
    return _whole(survey, say(words, language), language, status)


def _whole(survey: Survey | None, body: str, language: str, status: int) -> HTMLResponse:
    title = text(survey.title, language) if survey else ""
    head = f"<h1>{escape(title)}</h1>" if title else ""
    more = {"Retry-After": "60"} if status == 503 else {}
    return shell.whole(language, title, f"<main>{head}{body}</main>", status, style=STYLE, headers=more)


def _thanks(visit: Visit, counted: Mapping[str, Counted]) -> str:
    _, result = surveys.outcome(visit.survey, counted)
    texts = result.text if result is not None else visit.survey.thanks
    if texts is None:
        return "thanks"
    return text(texts, visit.language)


def _answered(visit: Visit, question: Question, answer: Answer, mail: str, now: int) -> Fact:
    said = {"question": question.id, "answer": answer, "points": surveys.points_of(question, answer)}
    return _fact(visit, surveys.ANSWERED, question.id, said, mail, now)


def _completed(visit: Visit, counted: Mapping[str, Counted], mail: str, now: int) -> Fact:
    points, result = surveys.outcome(visit.survey, counted)
    said = {"points": points, **({"result": result.key} if result is not None else {})}
    return _fact(visit, surveys.COMPLETED, "", said, mail, now)


def _fact(visit: Visit, event: str, of: str, said: Mapping[str, Any], mail: str, now: int) -> Fact:
    """Of whom the letter went to; else of the address that was given; else of a visitor of one run."""
    named = (f"email:{mail}",) if mail else (f"anonymous_id:survey-{visit.run}",)
    return Fact(
        id=derive("survey", visit.run, event, of),
        type="track",
        event=event,
        brand=visit.survey.brand,
        source=SOURCE,
        occurred_at=now,
        received_at=now,
        about=visit.person,
        identifiers=() if visit.person is not None else named,
        properties={"survey": visit.survey.key, **said, "run": visit.run},
        cause=visit.message,
    )
