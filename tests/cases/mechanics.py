"""The ready-made mechanics, as a marketer takes them: by the install call, for the brand of a test and with its name before every key."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.support.shop import Shop


async def install(shop: Shop, name: str, **more: Any) -> Any:
    asked = {"brand": shop.brand, "prefix": f"{shop.brand}-", "publish": True, **more}
    return await shop.installation.api.post(f"/api/mechanics/{name}/install", json=asked)


@asynccontextmanager
async def in_force(shop: Shop, *names: str) -> AsyncIterator[None]:
    """For the block, with the values that are shipped."""
    documents: list[dict[str, Any]] = []
    try:
        for name in names:
            answer = await install(shop, name)
            assert answer.status_code == 200, (name, answer.text)
            documents += answer.json()["documents"]
        await shop.settle()
        yield
    finally:
        await withdraw(shop, documents)


async def withdraw(shop: Shop, documents: Iterable[Mapping[str, Any]]) -> None:
    """Take rules, journeys and segments out of force, what mentions others before them: customers of other tests are not to feel the rules, nor
    to fall into the segments. documents: `{"kind", "key"}`, each after what it mentions.
    """
    named = list(documents)[::-1]
    for kind in ("rule", "journey"):
        for key in [one["key"] for one in named if one["kind"] == kind]:
            await shop.api("DELETE", f"/api/{kind}s/{key}")
    for key in [one["key"] for one in named if one["kind"] == "segment"]:
        gone = await shop.installation.api.delete(f"/api/segments/{key}")
        assert gone.is_success or gone.json()["code"] == "stood_in", "somebody of another test may stand where it is asked"
    await shop.settle()
