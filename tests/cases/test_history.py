"""G1, G4: who publishes a segment today is told of what was done before, and it goes on by time alone."""

import pytest

from tests.support.shop import DAY, HOUR, Shop, segment


async def members(shop: Shop, key: str) -> set[str]:
    """Who stands in it by what was told."""
    standing: dict[str, bool] = {}
    for told in sorted(await shop.installation.log.records("memberships"), key=lambda told: told.get("at", 0)):
        if told.get("segment") == f"{shop.brand}-{key}":
            standing[told["profile"]] = told["type"] == "entered"
    return {person for person, stands in standing.items() if stands}


@pytest.mark.case("G1", "G4")
async def test_a_segment_knows_what_was_done_before_it_was_published(shop: Shop):
    b, start = shop.brand, shop.now
    bought = f"Order {b}"  # history counts, and so do other tests' customers
    await shop.post(
        shop.did("ann", bought, category="books"), shop.did("bob", bought, category="toys"), shop.did("eve", f"Seen {b}")
    )
    await shop.until(start + DAY)
    await shop.post(shop.did("ann", bought, category="toys"))
    people = {who: (await shop.profile(f"user_id:{shop.user(who)}"))["id"] for who in ("ann", "bob", "eve")}
    books = {"kind": "did", "event": bought, "where": [{"path": "category", "op": "eq", "value": "books"}]}
    month = {"kind": "age", "event": bought, "which": "last", "op": "older", "age": 30 * DAY}
    await shop.publish(
        segment("twice", b, {"kind": "did", "event": bought, "value": 2}), segment("readers", b, books), segment("asleep", b, month),
        segment("never", b, {"kind": "all", "of": [{"kind": "not", "of": {"kind": "did", "event": bought}}, {"kind": "did", "event": f"Seen {b}"}]}),
    )  # fmt: skip
    await shop.settle()
    assert await members(shop, "twice") == await members(shop, "readers") == {people["ann"]}
    assert await members(shop, "never") == {people["eve"]}
    progress = await shop.api("GET", f"/api/segments/{b}-twice/progress")
    assert (progress["complete"], progress["version"], progress["history"]["state"]) == (True, 1, "complete")

    assert await members(shop, "asleep") == set()
    await shop.until(start + 30 * DAY + HOUR)
    assert await members(shop, "asleep") == {people["bob"]}
    await shop.until(start + 31 * DAY + HOUR)
    assert await members(shop, "asleep") == {people["ann"], people["bob"]}
