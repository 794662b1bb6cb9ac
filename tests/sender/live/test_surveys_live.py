"""Surveys at their addresses: shown without a trace, answered once, as facts about whom the letter went to."""

import email
import email.policy
import re
from contextlib import asynccontextmanager

import httpx
import pytest

from runtime.drive import set_clock
from schemas.facts import PROFILE_CHANGED, PROFILE_ERASED, Fact
from schemas.ids import derive
from services.sender.__main__ import service
from services.sender.settings import SenderSettings
from services.sender.survey_runs import DAY_MS
from tests.conftest import free_ports
from tests.schemas.test_surveys import NPS
from tests.sender.live import kit
from tests.support.live import driven, read, rows

QUESTIONS = [{**one, "text": {"en": f"{one['id']}?", "ru": f"Вопрос {one['id']}"}} for one in NPS["questions"]]
SURVEYS = [
    {**NPS, "questions": QUESTIONS, "title": {"en": "<NPS>", "ru": "Опрос"}},
    {**NPS, "key": "open", "questions": QUESTIONS, "open": True, "contact": "required"},
    {**NPS, "key": "other", "brand": "sister", "open": True, "questions": QUESTIONS[3:]},
]
LETTER = {**kit.TEMPLATE, "html": "{% for n in (0..10) %}<a href='{{ survey_url.nps }}?score={{ n }}'>{{ n }}</a>{% endfor %}", "text": "{{ survey_url.nps }} {{ survey_url.other }}"}  # fmt: skip


async def documents(config):
    await kit.publish(config, *(("survey", one) for one in SURVEYS), ("template", LETTER))


@asynccontextmanager
async def site(config, smtp):
    """The sender, with one letter sent: (its context, the conductor, a client, the letter)."""
    port = free_ports(1)[0]
    await documents(config)
    await kit.put(config, kit.contact(1), [kit.intent(1)], documents=False)
    made = service(SenderSettings(smtp_port=smtp.port, public_port=port, public_url="https://go.example"), config)
    async with (
        driven(config, made, at=kit.T0 + 2000) as ((context,), conductor),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        await conductor.settle()
        (accepted,) = smtp.record.accepted
        yield context, conductor, http, accepted["data"]


def path_in(letter) -> str:
    message = email.message_from_bytes(letter if isinstance(letter, bytes) else letter.encode(), policy=email.policy.default)
    text = "".join(part.get_content() for part in message.walk() if not part.is_multipart())
    found = re.search(r"https://go.example(/s/nps/[A-Za-z0-9_-]{42})", text)
    assert found, text
    assert f"{found[0]}?score=10" in text, "each number has its own address, and none of them is counted as a click"
    assert "/s/other/" not in text, "a survey of another brand"
    return found[1]


async def raw(config):
    return [one for one in await read(config, "facts.raw") if one["source"] == "surveys"]


async def test_a_letter_s_number_opens_the_page_with_it_chosen_and_an_answer_counts_once(config, smtp):
    async with site(config, smtp) as (context, _conductor, http, letter):
        path = path_in(letter)
        page = await http.get(f"{path}?score=9")
        assert page.status_code == 200 and 'value="9" checked' in page.text and page.text.count('" checked') == 1
        assert "&lt;NPS&gt;" in page.text and "<NPS>" not in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script" not in policy and "unsafe" not in policy
        russian = await http.get(path, headers={"Accept-Language": "ru-RU,ru;q=0.9"})
        assert "Вопрос score" in russian.text and 'lang="ru"' in russian.text
        assert await rows(context, "SELECT FROM survey_answer") == [], "GET shows"
        wrong = await http.post(path, data={"at": "score", "q.score": "11"})
        assert wrong.status_code == 422 and "not possible" in wrong.text
        assert (await http.post(path, data={"at": "score"})).status_code == 422, "it must be answered"
        second = await http.post(path, data={"at": "score", "q.score": "3"})
        assert "why?" in second.text and "score" not in second.text, "what counts does not go along"
        # He goes back and thinks otherwise: what he said first stays, and says the way, the points and the result.
        back = await http.post(path, data={"at": "score", "q.score": "10"})
        assert back.status_code == 200 and "why?" in back.text and "why?" in (await http.get(path)).text
        done = await http.post(path, data={"at": "more", "q.score": "10", "q.why": ["price", "speed"], "q.more": ""})
        assert done.status_code == 200 and "<form" not in done.text
        for again in (await http.get(path), await http.post(path, data={"at": "score", "q.score": "10"})):
            assert again.status_code == 200 and "answered already" in again.text
        assert [row["question"] for row in await rows(context, "SELECT question FROM survey_answer")] == [""], (
            "of an ended run that it is"
        )
    facts = await raw(config)
    told = {one["id"]: one for one in facts}
    assert len(facts) == len(told) == 3
    assert all((one["about"], one["brand"], one["cause"]) == (kit.person(1), "shop", kit.intent(1).id) for one in facts)
    assert [(one["event"], one["properties"].get("question"), one["properties"].get("answer")) for one in facts] == [
        ("Survey Answered", "score", 3),
        ("Survey Answered", "why", ["price", "speed"]),
        ("Survey Completed", None, None),
    ]
    assert (facts[2]["properties"]["points"], facts[2]["properties"]["result"]) == (4, "critic")


async def test_an_open_page_asks_for_an_address_and_a_link_of_another_kind_or_brand_opens_nothing(config, smtp):
    async with site(config, smtp) as (_context, _conductor, http, letter):
        token = path_in(letter).rpartition("/")[2]
        page = await http.get("/s/open")
        word = re.search(r'name="run" value="([^"]+)"', page.text)[1]
        assert 'type="email"' in page.text
        assert word not in (await http.get("/s/open")).text
        first = {"at": "score", "q.score": "10", "run": word}
        for mail in ("", "nonsense"):
            asked = await http.post("/s/open", data={**first, "email": mail})
            assert asked.status_code == 422 and "full e-mail" in asked.text and 'value="10" checked' in asked.text
        second = await http.post("/s/open", data={**first, "email": "Ann@Example.org"})
        assert "friend?" in second.text and 'name="email" value="Ann@Example.org"' in second.text
        # The later pages do not say what counts already, and cannot: a lower mark leads nowhere else by now.
        form = {"at": "friend", "q.score": "0", "q.friend": "yes", "run": word, "email": "Ann@Example.org"}
        for _ in range(2):  # the button is pressed twice
            assert (await http.post("/s/open", data=form)).status_code == 200
        for path in ("/s/nps", "/s/none", f"/s/other/{token}", f"/s/nps/{token[:-1]}", f"/u/{token}", f"/s/nps/{'x' * 42}"):
            answer = await http.get(path)
            assert "not valid" in answer.text, path
        assert (await http.post("/s/nps", data={"at": "score", "q.score": "1", "run": "x"})).status_code == 404
        for made_up in ("x", "", token, word[:-1]):
            assert (await http.post("/s/open", data={**form, "run": made_up})).status_code == 404
        assert (await http.post("/s/open", content=b"x" * 400_000)).status_code == 404
        assert (await http.post("/s/open", content=b"\xff\xfe")).status_code == 404
    facts = await raw(config)
    assert [(one["event"], one["identifiers"]) for one in facts] == [
        ("Survey Answered", ["email:ann@example.org"]),
        ("Survey Answered", ["email:ann@example.org"]),
        ("Survey Completed", ["email:ann@example.org"]),
    ]
    assert {one["properties"]["run"] for one in facts} == {derive("survey", "open", "open", word)}
    assert (facts[2]["properties"]["points"], facts[2]["properties"]["result"]) == (15, "promoter")


def told(at, **more):
    common = {"brand": "shop", "source": "site", "profile": kit.person(1), "occurred_at": at, "received_at": at}
    return Fact(id=derive("told", at), **common, **more)


async def test_pages_speak_his_language_or_the_brands_and_a_link_opens_for_two_years(config, smtp):
    async with site(config, smtp) as (context, conductor, http, letter):
        path = path_in(letter)
        await kit.publish(config, ("brand", {"key": "shop", "name": "Shop", "language": "ru"}))
        english = told(kit.T0 + 3000, type=PROFILE_CHANGED, attributes={"language": (kit.T0, "en")})
        await kit.put(config, [english], documents=False)
        await conductor.settle()
        assert 'lang="en"' in (await http.get(path)).text and 'lang="ru"' in (await http.get("/s/open")).text
        assert (await http.post(path, data={"at": "score", "q.score": "3"})).status_code == 200
        word = re.search(r'name="run" value="([^"]+)"', (await http.get("/s/open")).text)[1]
        await set_clock(context.db, kit.T0 + 8 * DAY_MS)
        form = {"at": "score", "q.score": "10", "email": "ann@example.org"}
        assert (await http.post("/s/open", data={**form, "run": word})).status_code == 404, "the page was open for a week"
        await set_clock(context.db, kit.T0 + 732 * DAY_MS)
        assert (await http.get(path)).status_code == (await http.post(path, data={"at": "why"})).status_code == 410
        word = re.search(r'name="run" value="([^"]+)"', (await http.get("/s/open")).text)[1]
        assert (await http.post("/s/open", data={**form, "run": word})).status_code == 200
        kept = [row["run"] for row in await rows(context, "SELECT run::text AS run FROM survey_answer")]
        assert kept == [derive("survey", "open", "open", word)], "what is over is forgotten"


async def test_who_was_erased_is_asked_nothing_and_where_he_stood_is_forgotten(config, smtp):
    async with site(config, smtp) as (context, conductor, http, letter):
        path = path_in(letter)
        assert (await http.post(path, data={"at": "score", "q.score": "3"})).status_code == 200
        await kit.put(config, [told(kit.T0 + 4000, type=PROFILE_ERASED, properties={"others": []})], documents=False)
        await conductor.settle()
        assert (await http.get(path)).status_code == (await http.post(path, data={"at": "why"})).status_code == 410
        assert await rows(context, "SELECT FROM survey_answer") == []
    assert len(await raw(config)) == 1


async def test_who_answers_a_letter_in_doubt_has_got_it(config, smtp):
    async with site(config, smtp) as (context, _conductor, http, letter):
        async with context.db.transaction() as connection:
            await connection.execute("UPDATE attempt SET state = 'in_doubt'")
        assert (await http.get(path_in(letter))).status_code == 200
        assert dict(await kit.states(context)) == {"accepted": 1}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one["kind"])
async def test_whatever_is_published_every_page_is_whole(question):
    from html.parser import HTMLParser

    from schemas.surveys import Survey
    from services.sender.pages.survey import Step, ask

    survey = Survey.model_validate({**NPS, "questions": [{**question, "jumps": [], "next": None}]})
    page = ask(survey, Step(survey.questions[0], ('"><b>',), (("q.x", "'\"<"),), "required", "<m>", "address"), "ru")
    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, _attributes):
            seen.append(tag)

    Reader().feed(page)
    assert "b" not in seen and "m" not in seen and "script" not in seen and seen.count("form") == 1
