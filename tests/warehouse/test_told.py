"""What is told of a person's facts: all that is kept of them, whether it has a column or not."""

from runtime.lake import Snapshot
from services.warehouse.__main__ import service
from services.warehouse.api import timeline
from services.warehouse.api.cursor import LATEST
from services.warehouse.domain.names import LONG, MAX_COLUMNS
from tests.support.live import T0, publish, running
from tests.warehouse.conftest import passed, stored

LISTS = {"products": [{"sku": "a", "tags": ["x", None]}, 2], "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}}}
MANY = {f"n{number}": number for number in range(MAX_COLUMNS + 20)}
SAID = {"plan": "gold", "sizes": [1, 2]}
CONTEXT = {"locale": "ru", "page": {"path": "/a"}, "campaign": {"source": "x", "terms": ["y"]}}


async def items(snapshot: Snapshot, **more) -> dict:
    person = stored(0, "ann").profile
    found = (await timeline.page(snapshot, [person], [], 100, LATEST, **more))["items"]
    return {item["name"]: item for item in found}


async def test_lists_and_what_is_deep_or_one_name_too_many_are_told(config, lake):
    long = "x" * (LONG + 1)
    facts = [
        stored(1, "ann", event="Lists", properties={**LISTS, "nothing": None, "empty": {}}),
        stored(2, "ann", event="Many", properties=MANY),
        stored(3, "ann", event=long, properties={"a": 1, "b": ["c"]}),
        stored(4, "ann", at=T0 + 1, event="Said", attributes=SAID, context=CONTEXT),
        stored(5, "zoe", event="Lists", properties={"products": ["hers"]}),
    ]
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, facts, "facts", key="k")
        await passed(context, 5)
        snapshot = await lake(context)
        told = await items(snapshot)
        assert told["Lists"]["properties"] == {"products": LISTS["products"], "deep.a.b.c": {"d": {"e": 1}}}
        assert told["Many"]["properties"] == MANY
        assert told[long]["properties"] == {"a": 1, "b": ["c"]}
        assert not told["Said"].keys() & {"properties", "attributes", "context"}
        whole = (await items(snapshot, scopes=timeline.WHOLE))["Said"]
        assert whole["attributes"] == SAID
        assert whole["context"] == {"locale": "ru", "page.path": "/a", "campaign.source": "x", "campaign.terms": ["y"]}
