"""Endpoints of webhooks: what may stand in one, who may put it in force, and that its secret is shown once."""

import base64

import pytest

from schemas.webhooks import shown
from services.gateway.domain.endpoints import not_allowed
from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Problem
from services.gateway.domain.references import Standing, check, refs_of
from services.gateway.store.keys import WAS_SHOWN
from tests.gateway.conftest import open_site, problem_of

ENDPOINT = {"brand": "shop", "url": "https://crm.example/hook"}
WRONG = [
    ({"url": "ftp://crm.example/"}, "url", "https://"),
    ({"url": "crm.example/hook"}, "url", "https://"),
    ({"url": "https://ann:secret@crm.example/"}, "url", "secret_headers"),
    ({"url": "https://@crm.example/"}, "url", "secret_headers"),
    ({"url": "https:///hook"}, "url", "host"),
    ({"url": "https://crm.example:99999/"}, "url", "address"),
    ({"url": "https://crm.example:0/"}, "url", "host"),
    ({"url": "https://[::1/"}, "url", "address"),
    ({"url": "https://crm.example/#top"}, "url", "#"),
    ({"url": "https://crm.example/a b"}, "url", "spaces"),
    ({"url": "https://crm.example\\@evil.example/"}, "url", "backslashes"),
    ({"url": "https://crm.example/\r\nX: 1"}, "url", "line breaks"),
    ({"headers": {"Authorization": "Bearer x"}}, "headers.Authorization", "secret_headers"),
    ({"headers": {"webhook-id": "1"}}, "headers.webhook-id", "sender sets"),
    ({"headers": {"Host": "x"}}, "headers.Host", "sender sets"),
    ({"headers": {"X-A": "a\r\nb"}}, "headers.X-A", "printable"),
    ({"headers": {"X-A": " a"}}, "headers.X-A", "no space at either end"),
    ({"headers": {"X-A": "a "}}, "headers.X-A", "no space at either end"),
    ({"headers": {"X A": "a"}}, "headers", "no header's name"),
    ({"headers": {"X-A": "1", "x-a": "2"}}, "headers", "twice"),
    ({"secret_headers": {"Content-Length": "crm"}}, "secret_headers.Content-Length", "sender sets"),
    ({"headers": {"X-A": "1"}, "secret_headers": {"x-a": "crm"}}, "headers", "both"),
    ({"timeout_s": 31}, "timeout_s", "30"),
    ({"secret_version": 2, "old_secret_version": 2}, "old_secret_version", "leave it out"),
    ({"body": {"a": ["{{ profile.name"]}}, "body.a.0", "line 1"),
    ({"body": {"a": "{{ profile.name | nothing }}"}}, "body.a", "nothing"),
    ({"body": {"data": {"name": "{{ profile.name | nothing }}"}}}, "body.data.name", "nothing"),
    ({"body": {"a": {"data": ["{{ profile.name | nothing }}"]}}}, "body.a.data.0", "nothing"),
    ({"body": 1}, "body", "a text, an object or a list"),
    ({"content_type": "json"}, "content_type", "pattern"),
    ({"secret": "whsec_x"}, "secret", "no such field"),
]


@pytest.mark.parametrize(("changes", "path", "word"), WRONG)
def test_what_is_wrong_is_said_where_it_stands_with_the_mend(changes, path, word):
    with pytest.raises(Problem) as caught:
        read(KINDS["webhook"], "crm", {**ENDPOINT, **changes})
    (fault,) = caught.value.faults
    assert fault.path == path and word in fault.told("en")["message"], fault


def test_plain_http_is_refused_where_the_installation_does_not_call_it():
    plain, safe = (
        read(KINDS["webhook"], "crm", {**ENDPOINT, "url": url}) for url in ("HTTP://crm.example/", "https://crm.example/")
    )
    (fault,) = not_allowed(plain, http=False)
    assert (fault.path, fault.code) == ("url", "webhook_http")
    assert "OTKLIK_WEBHOOK_HTTP" in fault.told("en")["message"] and "OTKLIK_WEBHOOK_HTTP" in fault.told("ru")["message"]
    assert not_allowed(plain, http=True) == not_allowed(safe, http=False) == []


def journey(*steps):
    return read(KINDS["journey"], "j", {"brand": "shop", "trigger": {"event": "X"}, "steps": list(steps)})


def test_a_journey_mentions_the_endpoints_and_templates_that_its_steps_use():
    told = journey(
        {"id": "a", "webhook": "crm"},
        {"id": "b", "hand": {"webhook": "desk"}},
        {"id": "c", "hand": {"template": "lead", "to": {"address": "sales@shop.example"}}},
    )
    assert refs_of(told) == {"brand:shop", "webhook:crm", "webhook:desk", "template:lead"}
    world = {("brand", "shop"): Standing(1, "shop", frozenset()), ("webhook", "desk"): Standing(1, "other", frozenset())}
    world["template", "lead"] = Standing(1, "shop", frozenset(), "sms")
    found = [(fault.path, fault.code) for fault in check("journey", "j", told, world)]
    assert found == [("steps.0.webhook", "unknown_reference"), ("steps.1.hand.webhook", "other_brand"), ("steps.2.hand.template", "other_channel")]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"webhook": "crm", "body": {"a": "{% if %}"}}, "steps.0.body.a"),
        ({"hand": {"webhook": "crm", "body": ["{{ x | nothing }}"]}}, "steps.0.hand.body.0"),
        ({"hand": {"webhook": "crm", "to": {"address": "a@b.example"}}}, "steps.0.hand.to"),
        ({"hand": {"template": "lead"}}, "steps.0.hand.to"),
        ({"hand": {}}, "steps.0.hand"),
    ],
)
def test_a_step_is_looked_at_before_it_is_kept(step, path):
    with pytest.raises(Problem) as caught:
        journey({"id": "a", **step})
    assert [fault.path for fault in caught.value.faults] == [path]


async def test_an_admin_puts_an_endpoint_in_force_and_is_shown_its_secret_once(config):
    async with open_site(config) as site:
        await site.publish("brands", {"key": "shop", "name": "Shop"})
        marketer = await site.new_key("read", "write", "publish")
        path = "/api/webhooks/crm"
        plain = {**ENDPOINT, "url": "http://crm.example/hook"}
        refused = problem_of(await site.as_key("PUT", path, marketer, json=plain), 422, "invalid")
        assert [(fault["path"], fault["code"]) for fault in refused["errors"]] == [("url", "webhook_http")]
        many = {"documents": [{"kind": "webhook", "body": {"key": "crm", **plain}}]}
        refused = problem_of(await site.http.post("/api/documents/import", json=many), 422, "invalid")
        assert [fault["path"] for fault in refused["errors"]] == ["documents.0.body.url"]
        assert (await site.as_key("PUT", path, marketer, json=ENDPOINT)).status_code == 201
        problem_of(await site.as_key("POST", f"{path}/publish", marketer), 403, "scope_missing")
        problem_of(await site.http.post(f"{path}/secret"), 404, "document_not_found")
        assert (await site.http.post(f"{path}/publish")).status_code == 200
        problem_of(await site.as_key("POST", f"{path}/secret", marketer), 403, "scope_missing")
        once = {"Idempotency-Key": "1"}
        answers = [await site.http.post(f"{path}/secret", headers=once) for _ in range(2)]
        assert [one.status_code for one in answers] == [201, 201] and answers[0].json() == answers[1].json(), (
            "an answer that was lost"
        )
        first = answers[0].json()["secret"]
        assert first.startswith("whsec_") and len(base64.b64decode(first.removeprefix("whsec_"))) == 32
        problem_of(await site.http.post(f"{path}/secret"), 409, "secret_shown")
        assert first not in str((await site.http.get(path)).json()) + str((await site.http.get("/api/audit")).json())
        await site.publish("webhooks", {"key": "crm", **ENDPOINT, "secret_version": 2, "old_secret_version": 1})
        second = (await site.http.post(f"{path}/secret")).json()
        assert second["secret_version"] == 2 and second["secret"] != first and shown(b"") == "whsec_"
        assert (await site.http.delete(path)).status_code == 204
        async with site.context.db.transaction() as connection:  # the audit only grows
            await connection.execute("SET LOCAL enable_seqscan = off")
            plan = await connection.fetch(f"EXPLAIN {WAS_SHOWN}", "shop crm 1")
        assert "audit_shown" in str(plan)
