"""What the gateway asks of profile."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from runtime.process import Context
from services.profile.api import belongings, consents, erasures, identity, people, rows, unmerges


def api(context: Context) -> Sequence[BaseRoute]:
    rooms = (people, rows, consents, identity, erasures, unmerges, belongings)
    return [route for room in rooms for route in room.routes(context)]
