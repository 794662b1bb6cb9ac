"""G3, G6, G8: who was in a segment when and why, how people move between segments, lists, and all of it in one call or by plain SQL."""

import csv
import io
import json
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pyarrow.parquet as parquet
import pytest

from tests.support.shop import DAY, HOUR, Shop, iso, segment


def stage(shop: Shop, name: str) -> dict[str, Any]:
    return segment(name, shop.brand, {"kind": "attribute", "name": "stage", "op": "eq", "value": at(shop, name)})


def at(shop: Shop, name: str) -> str:
    """A stage of this shop: conditions are about everybody of the installation."""
    return f"{shop.brand}-{name}"


async def members(shop: Shop, key: str, **params: Any) -> list[str]:
    """User names of the members, page by page."""
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await shop.api("GET", f"/api/segments/{shop.brand}-{key}/members", params={"limit": 1, "next": cursor, **params})
        for item in page["items"]:
            person = await shop.api("GET", f"/api/profiles/{item['profile']}")
            found.append(next(one for one in person["identifiers"] if one.startswith("user_id:")).rpartition("-")[2])
        cursor = page["next"]
    return sorted(found)


@pytest.mark.case("G3", "G6")
async def test_who_was_in_it_then_by_which_fact_and_how_people_moved(shop: Shop):
    b = shop.brand
    await shop.publish(
        stage(shop, "trial"),
        stage(shop, "paid"),
        segment("any", b, {"kind": "attribute", "name": "stage", "op": "starts_with", "value": b}),
    )
    start = shop.now
    await shop.post(
        *(shop.is_(who, stage=at(shop, "trial")) for who in ("ann", "bob", "cid")), shop.is_("dan", stage=at(shop, "paid"))
    )
    await shop.until(start + DAY)
    await shop.post(bought := shop.is_("ann", stage=at(shop, "paid")), shop.is_("dan", stage=at(shop, "gone")))
    await shop.until(start + 2 * DAY)
    await shop.post(shop.is_("bob", stage=at(shop, "paid")))

    assert await members(shop, "trial") == ["cid"] and await members(shop, "paid") == ["ann", "bob"]
    assert await members(shop, "trial", as_of=start + DAY - 1) == ["ann", "bob", "cid"]
    assert await members(shop, "trial", as_of=iso(start + DAY)) == ["bob", "cid"]
    page = await shop.api("GET", f"/api/segments/{b}-paid/members", params={"as_of": start + DAY, "facts": True})
    (item,) = page["items"]
    ann = (await shop.profile(f"user_id:{shop.user('ann')}"))["id"]
    assert (item["profile"], item["since"], item["why"], page["count"]) == (ann, start + DAY, "fact", 1)
    assert item["fact"] == {"type": "identify", "source": f"{b}-site", "occurred_at": start + DAY}, bought
    log = await shop.api("GET", f"/api/segments/{b}-trial/history", params={"profile": ann})
    assert [(one["type"], one["at"], one["fact"]["type"]) for one in log["items"]] == [
        ("left", start + DAY, "identify"),
        ("entered", start, "identify"),
    ]

    keys = f"{b}-trial,{b}-paid"
    table = await shop.api("GET", "/api/segments/flows", params={"keys": keys, "from": start, "to": start + DAY})
    trial, paid, several, none = range(4)
    assert table["states"] == [f"{b}-trial", f"{b}-paid", "~several", "~none"]
    assert table["matrix"][trial][:2] == [2, 1] and table["matrix"][paid] == [0, 0, 0, 1] and table["matrix"][several] == [0] * 4
    assert table["totals"] == {"from": [3, 1, 0, 0], "to": [2, 1, 0, 1]} and not any(table["matrix"][none])
    whole = await shop.api("GET", "/api/segments/flows", params={"keys": f"{keys},{b}-any", "from": start - 1})
    assert whole["totals"]["from"] == [0, 0, 0, 0, 4] and whole["totals"]["to"] == [0, 0, 1, 3, 0]
    overlap = await shop.api("GET", "/api/segments/overlap", params={"keys": f"{b}-paid,{b}-any"})
    assert overlap["sizes"] == {f"{b}-paid": 2, f"{b}-any": 4}
    assert overlap["regions"] == [
        {"segments": [f"{b}-any"], "count": 2},
        {"segments": [f"{b}-any", f"{b}-paid"], "count": 2},
    ]


@pytest.mark.case("G3")
async def test_a_list_keeps_whom_it_was_made_of_through_merges_and_erasure_and_a_file_makes_one_too(shop: Shop):
    b = shop.brand
    await shop.publish(stage(shop, "trial"))
    start = shop.now
    await shop.post(*(shop.is_(who, stage=at(shop, "trial")) for who in ("ann", "bob", "cid")))
    await shop.until(start + HOUR)
    await shop.post(
        *(shop.is_(who, stage=at(shop, "paid")) for who in ("ann", "bob", "cid")), shop.is_("dan", stage=at(shop, "trial"))
    )
    asked = {"as": f"{b}-december", "name": "December", "as_of": start}
    once = {"Idempotency-Key": f"{b}-1"}
    made = await shop.api("POST", f"/api/segments/{b}-trial/freeze", json=asked, headers=once)
    assert await shop.api("POST", f"/api/segments/{b}-trial/freeze", json=asked, headers=once) == made
    await shop.settle()
    assert await members(shop, "december") == ["ann", "bob", "cid"] and await members(shop, "trial") == ["dan"]
    come = await shop.api("GET", f"/api/segments/{b}-december/freeze")
    assert (come["members"], come["told"], come["as_of"]) == (3, 3, start) and come["done_at"]
    refused = await shop.installation.api.post(f"/api/segments/{b}-trial/freeze", json=asked)
    assert (refused.status_code, refused.json()["code"]) == (409, "list_exists")
    assert (await shop.installation.api.get(f"/api/segments/{b}-trial/freeze")).json()["code"] == "not_frozen"

    bob = (await shop.profile(f"user_id:{shop.user('bob')}"))["id"]
    await shop.api("DELETE", f"/api/profiles/{bob}", json={"reason": "asked"})
    await shop.settle()
    assert await members(shop, "december") == ["ann", "cid"]
    assert await members(shop, "trial", as_of=start) == ["ann", "cid"], "who is erased was nowhere"

    of_file = segment("file", b, {"kind": "attribute", "name": f"list.{b}-file", "op": "eq", "value": True})
    await shop.publish(of_file)
    mapping = {
        "call": "identify", "brand": b, "source": f"{b}-file", "identifiers": {"user_id": "id"}, "attributes": {f"list.{b}-file": {"value": True}},
    }  # fmt: skip
    text = f"id\n{shop.user('ann')}\n{shop.user('new')}\n"
    await shop.api(
        "POST",
        "/api/imports",
        params={"mapping": json.dumps(mapping), "name": "list.csv"},
        content=text.encode(),
        headers={"Content-Type": "text/csv"},
    )
    await shop.settle()
    assert await members(shop, "file") == ["ann", "new"]


@pytest.mark.case("G8")
async def test_a_segment_leaves_whole_in_one_call_and_bi_tools_read_it_by_sql(shop: Shop):
    b = shop.brand
    await shop.publish(stage(shop, "trial"))
    start = shop.now
    came = {"campaign": {"source": "vk", "medium": "cpc", "name": "winter"}}
    await shop.post({**shop.did("ann", "Seen"), "context": came})
    await shop.post(
        shop.is_("ann", stage=at(shop, "trial"), city="=Omsk", spent={"minor": 1999, "currency": "GBP"}),
        shop.agrees("ann"),
        shop.is_("bob", stage=at(shop, "trial")),
    )
    ann = await shop.profile(f"user_id:{shop.user('ann')}")

    async def export(form: str, **params: Any) -> bytes:
        answer = await shop.installation.api.get(f"/api/segments/{b}-trial/members", params={"format": form, **params})
        assert answer.is_success, answer.text
        return answer.content

    rows = {row["profile"]: row for row in csv.DictReader(io.StringIO((await export("csv")).decode("utf-8-sig")))}
    row = rows[ann["id"]]
    assert len(rows) == 2 and (row["email"], row["user_id"]) == (shop.address("ann"), shop.user("ann"))
    assert (row["attributes.city"], row["attributes.stage"], row["since"]) == ("'=Omsk", f"{b}-trial", iso(start))
    assert (row["first_touch_source"], row["first_touch_campaign_source"], row["first_touch_at"]) == (f"{b}-site", "vk", iso(start))
    (said,) = json.loads(row["consents"])
    assert (said["channel"], said["state"], said["brand"]) == ("email", "proven", b)
    lines = {one["id"]: one for one in map(json.loads, (await export("jsonl")).splitlines())}
    assert lines[ann["id"]]["attributes"] == ann["attributes"] and lines[ann["id"]]["member"]["since"] == start
    table = parquet.read_table(io.BytesIO(await export("parquet"))).to_pylist()
    assert {one["profile"] for one in table} == rows.keys()
    assert await export("jsonl", as_of=start - 1) == b""
    bad = await shop.installation.api.get(f"/api/segments/{b}-trial/members", params={"format": "xls"})
    assert bad.status_code == 422 and bad.json()["errors"][0]["path"] == "format"
    audit = (await shop.api("GET", "/api/audit", params={"limit": 20}))["items"]
    assert [one["detail"]["format"] for one in audit if (one["action"], one["what"]) == ("export", f"segment {b}-trial")] == [
        "jsonl", "parquet", "jsonl", "csv",
    ]  # fmt: skip

    async with reader(shop) as bi:
        found = await bi.fetch(
            "SELECT p.profile::text, p.attributes->>'stage' AS stage, m.since, s.name FROM bi.segment_members m JOIN bi.segments s USING (segment)"
            " JOIN bi.profiles p USING (profile) WHERE m.segment = $1",
            f"{b}-trial",
        )
        assert {row["profile"] for row in found} == rows.keys() and {row["stage"] for row in found} == {f"{b}-trial"}
        names = await bi.fetch("SELECT kind, value FROM bi.identifiers WHERE profile = $1", ann["id"])
        assert {(row["kind"], row["value"]) for row in names} == {("email", shop.address("ann")), ("user_id", shop.user("ann"))}
        assert await bi.fetchval("SELECT count(*) FROM bi.consents WHERE profile = $1 AND brand = $2", ann["id"], b) == 1
        for statement in (
            "DELETE FROM bi.segment_members",
            "CREATE TABLE bi.mine (n int)",
            "SELECT state FROM profile.profile",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await bi.execute(statement)


class reader:  # noqa: N801
    """A connection as a BI tool has it: a user of its own that is in the role."""

    def __init__(self, shop: Shop) -> None:
        self._shop, self._name = shop, f"bi_{shop.brand}"

    async def __aenter__(self) -> Any:
        url = self._shop.installation.settings.database_url
        self._owner = await asyncpg.connect(url)
        await self._owner.execute(f"CREATE ROLE {self._name} LOGIN PASSWORD 'bi' IN ROLE otklik_bi")
        parts = urlsplit(url)
        at = parts.netloc.rpartition("@")[2]
        self._bi = await asyncpg.connect(urlunsplit(parts._replace(netloc=f"{self._name}:bi@{at}")))
        return self._bi

    async def __aexit__(self, *_: object) -> None:
        await self._bi.close()
        await self._owner.execute(f"DROP ROLE {self._name}")
        await self._owner.close()
