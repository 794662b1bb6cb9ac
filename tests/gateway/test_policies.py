"""Who may override the law of a country, and what is kept of it."""

from tests.gateway.conftest import problem_of

ALLOW = {"country": "RU", "channel": "telegram", "allow": True, "reason": "counsel says: they asked the bot for it"}


async def test_only_an_admin_puts_a_policy_in_force_and_the_audit_has_his_reason(site):
    marketer = await site.new_key("read", "write", "publish")
    assert (await site.as_key("PUT", "/api/policies/ru-telegram", marketer, json=ALLOW)).status_code == 201
    assert (
        "admin"
        in problem_of(await site.as_key("POST", "/api/policies/ru-telegram/publish", marketer), 403, "scope_missing")["detail"]
    )
    both = {"documents": [{"kind": "policy", "body": {"key": "ru-telegram", **ALLOW, "reason": ALLOW["reason"] + "!"}}]}
    problem_of(await site.as_key("POST", "/api/documents/import", marketer, json=both), 403, "scope_missing")
    admin = await site.new_key("read", "write", "publish", "admin")
    assert (await site.as_key("POST", "/api/policies/ru-telegram/publish", admin)).status_code == 200
    entries = (await site.http.get("/api/audit")).json()["items"]
    (entry,) = [one for one in entries if one["what"] == "policy ru-telegram" and one["action"] == "publish"]
    assert ALLOW["reason"] in str(entry)
    problem_of(await site.as_key("DELETE", "/api/policies/ru-telegram", marketer), 403, "scope_missing")
