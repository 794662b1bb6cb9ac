"""Documents: saved, read, listed, deleted; what is wrong with them is said at once."""

import pytest

from tests.gateway.conftest import faults_of, problem_of

EVERYBODY = {"kind": "all", "of": []}
RICH = {"kind": "did", "event": "Order Completed", "op": "ge", "value": 2, "within": 86_400_000}
DOCUMENTS = {
    "brands": {"name": "Shop", "time_zone": "Europe/Moscow"},
    "topics": {"name": {"en": "News", "ru": "Новости"}},
    "templates": {"subject": "Hi {{ profile.name | default: 'you' }}", "html": "<p>{{ event.total | money }}</p>"},
    "segments": {"name": "Buyers", "condition": RICH},
    "journeys": {
        "brand": "shop",
        "trigger": {"event": "Signed Up"},
        "audience": RICH,
        "steps": [
            {"id": "wait", "wait": "1d12h"},
            {"id": "ask", "if": {"kind": "segment", "key": "vip"}, "then": "mail", "else": None},
            {"id": "mail", "template": "welcome"},
        ],
    },
    "campaigns": {"brand": "shop", "audience": RICH, "template": "welcome", "start": {"local": "2027-03-01T10:00"}, "control": 10},
    "rules": {"caps": [{"name": "c", "class": "mass", "most": 3, "per": "week"}], "quiet_hours": {"from": "21:00", "to": "09:00"}},
    "connectors": {
        "brand": "shop",
        "calls": [{"call": "identify", "when": "has(body.x)", "traits": {"email": "body['E-mail'][0]"}}],
    },
    "bots": {
        "brand": "shop",
        "channel": "telegram",
        "menu": {"text": "Hello", "buttons": [{"text": "Quiz", "start": "quiz"}]},
        "dialogues": [
            {
                "key": "quiz",
                "words": ["/quiz"],
                "steps": [
                    {"id": "q1", "ask": "2 + 2?", "options": [{"text": "4", "points": 1}, {"text": "5", "next": "end"}]},
                    {"id": "f", "if": {"at_least": 1}, "then": "s", "else": "end"},
                    {"id": "s", "set": {"quiz": {"take": "points"}, "passed": True}},
                    {"id": "r", "raise": "Quiz Passed", "properties": {"answer": {"take": "answers.q1"}}},
                    {"id": "end", "end": True, "result": "done"},
                ],
            }
        ],
    },
    "webhooks": {
        "brand": "shop",
        "url": "https://crm.example/hooks/otklik?a=1",
        "headers": {"X-Kind": "lead"},
        "secret_headers": {"Authorization": "crm"},
        "body": {"name": "{{ profile.name }}", "seats": {"data": "event.seats"}, "none": None},
    },
    "policies": {"country": "RU", "channel": "telegram", "allow": True, "reason": "counsel says: they asked the bot for it"},
    "promo-pools": {"brand": "shop", "text": "10 % off", "expires": "2027-01-31T23:59:59+03:00", "low_water": 50},
    "events": {
        "brand": "shop",
        "title": "Meetup",
        "format": "both",
        "starts_at": "2027-01-20T18:00:00+03:00",
        "ends_at": "2027-01-20T21:00:00+03:00",
        "time_zone": "Europe/Moscow",
        "seats": 50,
        "selection": "by_selection",
        "questions": [{"name": "role"}, {"name": "company", "required": False}],
        "confirm_until": "12h",
    },
    "surveys": {
        "brand": "shop",
        "title": {"ru": "Как мы вам?", "en": "How do you like us?"},
        "questions": [
            {"id": "score", "kind": "nps", "text": {"ru": "Посоветуете?"}, "jumps": [{"op": "ge", "value": 9, "next": "end"}]},
            {"id": "why", "kind": "choices", "text": {"en": "Why?"}, "options": [{"key": "price", "text": {"en": "Price"}}]},
        ],
        "results": [{"key": "all", "from_points": 0, "text": {"en": "Thanks"}}],
    },
    "experiments": {
        "brand": "shop",
        "of": {"kind": "split", "journey": "welcome", "step": "half"},
        "control": "x",
        "primary": {"key": "bought", "kind": "conversion", "target": {"event": "Order Completed", "window": "7d"}},
        "size": 3014,
    },
    "identity": {"kinds": [{"kind": "user_id", "never_merge": True}, {"kind": "phone", "limit": 3, "refused": ["+79160000000"]}]},
}
KEYS = {"identity": "rules"}  # of kinds of which there is one document


@pytest.mark.parametrize("plural", DOCUMENTS)
async def test_a_document_is_saved_read_changed_and_deleted(site, plural):
    key = KEYS.get(plural, "round-trip")
    path, body = f"/api/{plural}/{key}", DOCUMENTS[plural]
    problem_of(await site.http.get(path), 404, "document_not_found")
    saved = await site.http.put(path, json=body)
    assert saved.status_code == 201 and saved.headers["etag"] == '"1"'
    got = await site.http.get(path)
    assert got.headers["etag"] == '"1"' and got.json() == saved.json()
    assert got.json()["key"] == key and got.json()["_meta"]["published_version"] is None
    again = await site.http.put(path, json=got.json())  # what GET gives, PUT takes
    assert again.status_code == 200 and again.headers["etag"] == '"2"'
    assert {**again.json(), "_meta": 0} == {**got.json(), "_meta": 0}
    assert (await site.http.delete(path)).status_code == 204
    problem_of(await site.http.get(path), 404, "document_not_found")


async def test_a_change_of_what_somebody_else_changed_is_refused(site):
    path = "/api/segments/races"
    problem_of(await site.http.put(path, json={"condition": RICH}, headers={"If-Match": '"1"'}), 404, "document_not_found")
    await site.http.put(path, json={"condition": RICH})
    problem_of(await site.http.put(path, json={"condition": RICH}, headers={"If-None-Match": "*"}), 412, "revision_stale")
    ok = await site.http.put(path, json={"condition": EVERYBODY}, headers={"If-Match": '"1"'})
    assert ok.headers["etag"] == '"2"'
    stale = {"If-Match": '"1"'}
    problem_of(await site.http.put(path, json={"condition": RICH}, headers=stale), 412, "revision_stale")
    problem_of(await site.http.post(f"{path}/publish", headers=stale), 412, "revision_stale")
    problem_of(await site.http.delete(path, headers=stale), 412, "revision_stale")
    assert (await site.http.get(path)).json()["condition"] == EVERYBODY
    assert (await site.http.post(f"{path}/publish", headers={"If-Match": 'W/"2", "7"'})).status_code == 200
    assert (await site.http.delete(path, headers={"If-Match": "*"})).status_code == 204


async def test_lists_go_on_where_they_ended(site):
    names = [f"page-{n}" for n in range(5)]
    for name in names:
        await site.http.put(f"/api/topics/{name}", json={"name": {"en": name}})
    found, cursor = [], ""
    for _ in range(10):
        page = (await site.http.get("/api/topics", params={"limit": 2, "next": cursor})).json()
        assert len(page["items"]) <= 2
        found += [one["key"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert [name for name in found if name in names] == names
    assert faults_of(await site.http.get("/api/topics", params={"limit": 1001})) == {("limit", "less_than_equal")}


WRONG = {
    "surveys": (
        {
            "brand": "shop",
            "title": {"fr": "Q"},
            "questions": [
                {"id": "points", "kind": "text", "text": {"en": "?"}},
                {"id": "b", "kind": "choice", "text": {"en": "?"}},
                {"id": "c", "kind": "scale", "text": {}, "min": 1, "max": 40},
                {"id": "d", "kind": "nps", "text": {"en": "?"}, "jumps": [{"op": "has", "value": 1, "next": "end"}]},
            ],
        },
        {
            ("title.fr.[key]", "literal_error"),
            ("questions.0.id", "value"),
            ("questions.1.options", "value"),
            ("questions.2.text", "too_short"),
            ("questions.3.jumps", "value"),
        },
    ),
    "promo-pools": (
        {"expires": "next week", "low_water": -1, "codes": ["A"]},
        {("brand", "missing"), ("expires", "value"), ("low_water", "greater_than_equal"), ("codes", "extra_forbidden")},
    ),
    "events": (
        {
            "brand": "shop",
            "title": "",
            "format": "hall",
            "starts_at": "tomorrow",
            "ends_at": "2027-01-20T18:00",
            "seats": 0,
            "time_zone": "Moscow",
            "confirm_until": "soon",
        },
        {
            ("title", "string_too_short"),
            ("format", "literal_error"),
            ("starts_at", "value"),
            ("ends_at", "value"),
            ("time_zone", "value"),
            ("seats", "greater_than_equal"),
            ("confirm_until", "value"),
        },
    ),
    "policies": (
        {"country": "Russia", "channel": "pigeon", "reason": "because"},
        {
            ("country", "string_pattern_mismatch"),
            ("channel", "literal_error"),
            ("allow", "missing"),
            ("reason", "string_too_short"),
        },
    ),
    "connectors": (
        {
            "region": "russia",
            "calls": [
                {"call": "track", "id": "body.", "traits": {"a": "os.environ"}},
                {"call": "identify", "event": "E"},
                {"call": "track", "event": "E", "properties": {"p": ""}},
            ],
        },
        {
            ("brand", "missing"),
            ("region", "string_pattern_mismatch"),
            ("calls.0.id", "value"),
            ("calls.0.traits.a", "value"),
            ("calls.1.event", "value"),
            ("calls.2.properties.p", "string_too_short"),
        },
    ),
    "identity": (
        {"key": "wrong", "kinds": [{"kind": "passport"}, {"kind": "email", "limit": 0, "refused": [""]}], "junk_after": 1},
        {
            ("key", "literal_error"),
            ("kinds.0.kind", "value"),
            ("kinds.1.limit", "greater_than_equal"),
            ("kinds.1.refused.0", "string_too_short"),
            ("junk_after", "greater_than_equal"),
        },
    ),
    "journeys": (
        {
            "brand": 1,
            "trigger": {"event": ""},
            "surprise": 1,
            "audience": {"kind": "any", "of": [{"kind": "did", "event": "E", "value": -1}, {"kind": "nothing"}]},
            "goal": {"event": "E", "where": [{"path": "a", "op": "gt", "value": "x"}]},
            "steps": [
                {"id": "a", "wait": "tomorrow"},
                {"id": "b", "if": {"kind": "attribute", "name": "n", "op": "gt", "value": True}},
                {"id": "c", "template": 5},
                {"id": "d", "sleep": 1},
                "e",
            ],
        },
        {
            ("brand", "string_type"),
            ("trigger.event", "string_too_short"),
            ("surprise", "extra_forbidden"),
            ("audience.of.0.value", "greater_than_equal"),
            ("audience.of.1", "union_tag_invalid"),
            ("goal.where.0.op", "type"),
            ("steps.0.wait", "value"),
            ("steps.1.if.op", "type"),
            ("steps.2.template", "string_type"),
            ("steps.3", "variant"),
            ("steps.4", "variant"),
        },
    ),
    "segments": ({"key": "other"}, {("key", "key_mismatch"), ("condition", "missing")}),
    "templates": (
        {"subject": "one\ntwo", "html": "{% if x %}", "text": "{{ a | shout }} {% include 'b' %}", "blocks": {"foot": "{{ x"}},
        {
            ("subject", "subject_lines"),
            ("html", "liquid_syntax"),
            ("text", "liquid_syntax"),
            ("blocks.foot", "liquid_syntax"),
        },
    ),
    "topics": ({"name": {}, "brand": 7}, {("name", "too_short"), ("brand", "string_type")}),
    "rules": (
        {"caps": [{"name": "c", "class": "service", "most": 0}]},
        {("caps.0.class", "literal_error"), ("caps.0.most", "greater_than_equal")},
    ),
    "brands": (
        {"from_email": "not an address", "time_zone": "Mars/Phobos", "color": 1},
        {("from_email", "address"), ("time_zone", "time_zone"), ("name", "missing"), ("color", "extra_forbidden")},
    ),
}


@pytest.mark.parametrize("plural", WRONG)
async def test_every_fault_is_named_at_once(site, plural):
    body, faults = WRONG[plural]
    assert faults_of(await site.http.put(f"/api/{plural}/wrong", json=body)) == faults
    problem_of(await site.http.get(f"/api/{plural}/wrong"), 404, "document_not_found")


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"html": "<p>"}, {("subject", "value")}),
        ({"subject": "s"}, {("text", "value")}),
        ({"subject": "s", "text": "{{ a | shout }}"}, {("text", "liquid_filter")}),
        ({"subject": "s", "mjml": "<mjml><mj-bo"}, {("mjml", "mjml_syntax")}),
        ({"subject": "s", "text": "a\x00b"}, {("text", "nul")}),
        ([], {("", "object")}),
        ("text", {("", "object")}),
    ],
)
async def test_templates_that_could_not_be_sent(site, body, faults):
    assert faults_of(await site.http.put("/api/templates/wrong", json=body)) == faults


@pytest.mark.parametrize("key", ["Upper", "-x", "a" * 64, "~journey.a.1.b", "я"])
async def test_keys_are_plain(site, key):
    assert faults_of(await site.http.put(f"/api/topics/{key}", json={"name": {"en": "x"}})) >= {("key", "key")}


async def test_conditions_too_deep_and_too_many_are_refused_before_anything_recurses(site):
    deep = EVERYBODY
    for _ in range(300):
        deep = {"kind": "not", "of": deep}
    assert faults_of(await site.http.put("/api/segments/deep", json={"condition": deep})) == {("condition", "depth")}
    wide = {"kind": "any", "of": [RICH] * 201}
    assert faults_of(await site.http.put("/api/segments/wide", json={"condition": wide})) == {("condition", "leaves")}


async def test_a_broken_body_is_no_json(site):
    for content in (b"{", b"\xff", b"[" * 5000, b""):
        answer = await site.http.put("/api/topics/broken", content=content)
        assert (answer.status_code, answer.json()["code"]) in {(400, "malformed_json"), (422, "invalid")}


async def test_a_body_without_end_is_refused(site):
    problem_of(await site.http.put("/api/topics/big", content=b" " * 1_000_001), 413, "too_large")

    async def endless():
        for _ in range(200):
            yield b" " * 10_000

    problem_of(await site.http.put("/api/topics/big", content=endless()), 413, "too_large")
