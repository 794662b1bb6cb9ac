"""C12: what people answer, in a letter's link, on an open page or wherever else, is known of them at once."""

import re

import pytest

from tests.support.shop import Shop, journey, once, segment, send, template

ASKS = {"ru": "Посоветуете нас?", "en": "Would you recommend us?"}


def nps(brand: str, **more):
    questions = [
        {"id": "score", "kind": "nps", "text": ASKS, "scored": True, "jumps": [{"op": "ge", "value": 9, "next": "end"}]},
        {"id": "why", "kind": "choice", "text": {"en": "What is wrong?"}, "options": [{"key": k, "text": {"en": k}} for k in ("price", "speed")]},
    ]  # fmt: skip
    results = [{"key": k, "from_points": n, "text": {"en": k}} for k, n in (("critic", 0), ("neutral", 7), ("promoter", 9))]
    body = {"key": f"{brand}-nps", "brand": brand, "title": {"en": "NPS"}, "questions": questions, "results": results, **more}
    return {"kind": "survey", "body": body}


@pytest.mark.case("C12")
async def test_an_answer_to_the_number_in_a_letter_moves_him_into_a_segment_and_a_branch(shop: Shop):
    b = shop.brand
    html = "{% for n in (0..10) %}<a href=\"{{ survey_url['" + b + "-nps'] }}?score={{ n }}\">{{ n }}</a> {% endfor %}"
    critics = {"kind": "attribute", "name": f"survey.{b}-nps.score", "op": "le", "value": 6}
    dear = {"kind": "attribute", "name": f"survey.{b}-nps.why", "op": "eq", "value": "price"}
    done = {"event": "Survey Completed", "where": [{"path": "survey", "op": "eq", "value": f"{b}-nps"}]}
    steps = (
        {"id": "dear", "if": dear, "then": "discount", "else": "thanks"},
        send("discount", b, next="end"),
        send("thanks", b),
        {"id": "end", "end": True},
    )
    await shop.publish(
        nps(b), template("ask", b, html=html), *(template(name, b) for name in ("sorry", "discount", "thanks")),
        segment("critics", b, critics), journey("critics", b, {"segment": f"{b}-critics"}, send("sorry", b)),
        journey("ask", b, "Order Completed", send("ask", b)), journey("done", b, done, *steps),
    )  # fmt: skip
    await shop.post(
        *(call for who in ("ann", "bob") for call in (shop.is_(who), shop.agrees(who), shop.did(who, "Order Completed")))
    )
    links = {}
    for mail in await shop.mails():
        found = re.findall(r"/s/[a-z0-9-]+/[A-Za-z0-9_-]{42}\?score=\d+", (await shop.letter(mail))["html"])
        assert len(found) == 11
        links[mail["to"][0].partition("@")[0]] = found
    public = shop.installation.public
    page = await public.get(links["ann"][2], headers={"Accept-Language": "ru"})
    assert ASKS["ru"] in page.text and 'value="2" checked' in page.text
    await shop.settle()
    assert not any("survey" in name for name in (await shop.profile(f"email:{shop.address('ann')}"))["attributes"]), (
        "seen, not answered"
    )
    path = links["ann"][2].partition("?")[0]
    await public.post(path, data={"at": "score", "q.score": "2"})
    await shop.settle()
    assert await shop.came() == once(("ann", "sorry")), "before he has answered the rest"
    await public.post(path, data={"at": "why", "q.score": "2", "q.why": "price"})
    await public.post(path, data={"at": "why", "q.score": "9", "q.why": "speed"})  # once more, and otherwise
    await public.post(links["bob"][10].partition("?")[0], data={"at": "score", "q.score": "10"})
    await shop.settle()
    assert await shop.came() == once(("ann", "discount"), ("bob", "thanks"))
    said = (await shop.profile(f"email:{shop.address('ann')}"))["attributes"]
    assert {name.rpartition(".")[2]: value for name, value in said.items() if name.startswith("survey.")} == {
        "score": 2, "why": "price", "points": 2, "result": "critic",
    }  # fmt: skip


@pytest.mark.case("C12")
async def test_who_answers_on_the_open_page_or_elsewhere_is_known_by_the_same_facts(shop: Shop):
    b = shop.brand
    await shop.publish(nps(b, open=True, contact="required"))
    await shop.post(shop.is_("ann"))
    public = shop.installation.public
    page = await public.get(f"/s/{b}-nps")
    word = re.search(r'name="run" value="([^"]+)"', page.text)[1]
    form = {"at": "score", "q.score": "9", "run": word, "email": shop.address("ann")}
    assert (await public.post(f"/s/{b}-nps", data=form)).status_code == 200
    await shop.post(shop.did("bob", "Survey Answered", survey=f"{b}-nps", question="score", answer=3))
    await shop.settle()
    for who, score in ((f"email:{shop.address('ann')}", 9), (f"user_id:{shop.user('bob')}", 3)):
        assert (await shop.profile(who))["attributes"][f"survey.{b}-nps.score"] == score
