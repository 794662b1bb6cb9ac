"""Surveys at their addresses: `/s/{key}/{token}` for whom a letter was sent to, `/s/{key}` for everybody. GET shows, POST answers.

Each answer leaves as a fact when it is given, so one who stops in the middle has answered what he has. An answer counts once: of a
second one to the same question of the same link nothing is taken.
"""

import secrets
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
from runtime.publisher import Full, Outgoing, Publisher
from schemas import surveys
from schemas.definitions import Published
from schemas.facts import Fact, encode
from schemas.identifiers import email
from schemas.ids import derive, partition_of
from schemas.messages import decode_intent
from schemas.surveys import Answer, Question, Survey, Unreadable
from schemas.topics import FACTS_RAW
from services.sender import links
from services.sender.pages import shell
from services.sender.pages.survey import STYLE, Step, ask, say, text

SOURCE = "surveys"
MOST = 300_000  # bytes of a form: the answers of before go along with it
RUN = 40  # characters of the word that tells the visits of an open page apart
NOT_KEPT: tuple[type[BaseException], ...] = (SendFailed, Full, *TRANSIENT)

REVISION = "SELECT revision FROM definition_revision"
SENT = "SELECT intent, profile::text AS profile FROM attempt WHERE id = $1"
GIVEN = "SELECT question FROM survey_answer WHERE run = $1"
GIVE = (
    "INSERT INTO survey_answer (run, question, at) SELECT $1, q, $3 FROM unnest($2::text[]) AS q ORDER BY q ON CONFLICT DO NOTHING"
)

Form = Mapping[str, list[str]]


class Visit(NamedTuple):
    """Somebody at a survey. run: of his answers; profile, cause: of a personal link, with the message it was in; word: of an open page."""

    survey: Survey
    run: str
    language: str
    profile: str | None = None
    cause: str | None = None
    word: str = ""


class Given(NamedTuple):
    """What a form says, as far as it can be read. current: the question to show, None at the end; fault: of its answer."""

    answers: dict[str, Answer | None]
    current: Question | None
    fault: str = ""


class Surveys:
    """The pages. An answer is thanked for only after Kafka has it."""

    def __init__(self, db: Database, publisher: Publisher, keys: links.Keys, clock: Clock, partitions: int) -> None:
        self._db, self._publisher, self._keys, self._clock, self._partitions = db, publisher, keys, clock, partitions
        self._definitions = Definitions(("survey",), _build)

    def routes(self) -> list[Route]:
        return [
            Route("/s/{key}", self.show, methods=["GET"]),
            Route("/s/{key}/{token}", self.show, methods=["GET"]),
            Route("/s/{key}", self.answer, methods=["POST"]),
            Route("/s/{key}/{token}", self.answer, methods=["POST"]),
        ]

    async def show(self, request: Request) -> HTMLResponse:
        """The first question; `?<question>=<answer>`, as a letter's numbers have it, chooses the answer and sends nothing."""
        visit = await self._visit(request, secrets.token_urlsafe(24))
        if visit is None:
            return _said(None, "unknown", shell.language_of(request), 404)
        if "" in await self._given(visit):
            return _said(visit.survey, "again", visit.language)
        first = visit.survey.questions[0]
        chosen = request.query_params.getlist(first.id)
        return _page(visit, Given({}, first), {f"q.{first.id}": chosen[:1] if first.kind != "choices" else chosen})

    async def answer(self, request: Request) -> HTMLResponse:
        """Take in what was answered and show what comes next."""
        form = await shell.form_of(request, MOST)
        visit = await self._visit(request, _one(form or {}, "run")) if form is not None else None
        if form is None or visit is None:
            return _said(None, "unknown", shell.language_of(request), 404)
        given = read(visit.survey, form)
        mail = _mail_of(visit, form)
        if mail is None:
            return _page(visit, Given({}, visit.survey.questions[0]), form, "address")  # where it is asked for
        try:
            if not await self._keep(visit, given, mail):
                return _said(visit.survey, "again", visit.language)
        except NOT_KEPT:
            return _said(visit.survey, "later", visit.language, 503)
        if given.current is not None:
            return _page(visit, given, form)
        return _said(visit.survey, _thanks(visit, given.answers), visit.language)

    async def _visit(self, request: Request, word: str) -> Visit | None:
        """None: there is no such survey, or the link is not one of ours."""
        key, token = request.path_params["key"], request.path_params.get("token")
        link = links.read(token, self._keys) if token is not None else None
        async with self._db.connection() as connection:
            known = await self._definitions.at(connection, await connection.fetchval(REVISION))
            survey = known.get(key)
            row = await connection.fetchrow(SENT, link.id) if link is not None and link.kind is links.Kind.SURVEY else None
        if survey is None:
            return None
        language = shell.language_of(request)
        if token is None:
            fit = survey.open and 0 < len(word) <= RUN and word.isascii() and "\x00" not in word
            return Visit(survey, derive("survey", "open", key, word), language, word=word) if fit else None
        if link is None or row is None or decode_intent(row["intent"]).brand != survey.brand:
            return None
        return Visit(survey, derive("survey", key, link.id), language, row["profile"], link.id)

    async def _given(self, visit: Visit) -> set[str]:
        async with self._db.connection() as connection:
            return {row["question"] for row in await connection.fetch(GIVEN, visit.run)}

    async def _keep(self, visit: Visit, given: Given, mail: str) -> bool:
        """Publish what is new. False: all of it was answered before.

        The log comes first: what it has and the table does not is sent again under the same ids.
        """
        known = await self._given(visit)
        if "" in known:
            return False
        new = [one for one in surveys.way(visit.survey, given.answers) if one.id not in known]
        now = (await self._clock.now())[0]
        facts = [_answered(visit, one, given.answers[one.id], mail, now) for one in new if given.answers[one.id] is not None]
        if given.current is None:
            facts.append(_completed(visit, given.answers, mail, now))
        await self._publisher.publish([self._outgoing(fact) for fact in facts])
        done = [*(one.id for one in new), *([""] if given.current is None else [])]
        if done:
            async with self._db.transaction() as connection:
                await connection.execute(GIVE, visit.run, done, now)
        return True

    def _outgoing(self, fact: Fact) -> Outgoing:
        key = f"{SOURCE}|{fact.about or fact.identifiers[0]}"
        return Outgoing(FACTS_RAW.name, partition_of(key, self._partitions), key.encode(), encode(fact))


def read(survey: Survey, form: Form) -> Given:
    """Walk the survey with what the form says: to the first question that it does not answer, or whose answer cannot be read.

    `at`: the question that was shown, which is answered even by nothing where it need not be.
    """
    answers: dict[str, Answer | None] = {}
    while (question := surveys.next_question(survey, answers)) is not None:
        name = f"q.{question.id}"
        if name not in form and question.id not in form.get("at", ()) and question.id not in form.get("passed", ()):
            return Given(answers, question)
        try:
            answers[question.id] = surveys.read_answer(question, form.get(name, []))
        except Unreadable as fault:
            return Given(answers, question, fault.code)
    return Given(answers, None)


def _build(documents: Sequence[Published], _revision: int) -> dict[str, Survey]:
    return {one.key: Survey.model_validate_json(bytes(one.body)) for one in documents if one.pointer}


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[0]


def _mail_of(visit: Visit, form: Form) -> str | None:
    """The address that was given; "": none, and none is needed; None: it must be given, or is no address."""
    if visit.profile is not None or visit.survey.contact == "none":
        return ""
    said = _one(form, "email").strip()
    if not said:
        return "" if visit.survey.contact == "optional" else None
    return email(said)


def _page(visit: Visit, given: Given, form: Form, mail_fault: str = "") -> HTMLResponse:
    """The page of the current question. form: what was sent, of which what was answered goes along."""
    question = given.current
    assert question is not None
    answered = [one for one in surveys.way(visit.survey, given.answers) if one.id != question.id]
    kept = [(f"q.{one.id}", value) for one in answered for value in form.get(f"q.{one.id}", ())]
    kept += [("passed", one.id) for one in answered if f"q.{one.id}" not in form]
    if visit.word:
        kept.append(("run", visit.word))
    wants = visit.profile is None and visit.survey.contact != "none"
    shows = wants and not answered
    if wants and not shows:
        kept.append(("email", _one(form, "email")))
    step = Step(
        question=question,
        given=form.get(f"q.{question.id}", ()),
        kept=kept,
        fault=given.fault,
        mail=_one(form, "email") if shows else None,
        mail_fault=mail_fault,
        mail_required=visit.survey.contact == "required",
        first=not answered,
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


def _thanks(visit: Visit, answers: Mapping[str, Answer | None]) -> str:
    _, result = surveys.outcome(visit.survey, answers)
    texts = result.text if result is not None else visit.survey.thanks
    if texts is None:
        return "thanks"
    return text(texts, visit.language)


def _answered(visit: Visit, question: Question, answer: Answer | None, mail: str, now: int) -> Fact:
    said = {"question": question.id, "answer": answer, "points": surveys.points_of(question, answer)}
    return _fact(visit, surveys.ANSWERED, question.id, said, mail, now)


def _completed(visit: Visit, answers: Mapping[str, Answer | None], mail: str, now: int) -> Fact:
    points, result = surveys.outcome(visit.survey, answers)
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
        about=visit.profile,
        identifiers=() if visit.profile is not None else named,
        properties={"survey": visit.survey.key, **said, "run": visit.run},
        cause=visit.cause,
    )
