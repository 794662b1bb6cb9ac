"""What the gateway asks of profile, and the segmenter and audience where conditions name what is personal."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from runtime.process import Context
from services.profile.api import belongings, consents, erasures, identity, people, rows, said, unmerges


def api(context: Context) -> Sequence[BaseRoute]:
    rooms = (people, rows, said, consents, identity, erasures, unmerges, belongings)
    return [route for room in rooms for route in room.routes(context)]
