"""What the gateway asks of profile."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from runtime.process import Context
from services.profile.api import belongings, consents, identity, people


def api(context: Context) -> Sequence[BaseRoute]:
    return [*people.routes(context), *consents.routes(context), *identity.routes(context), *belongings.routes(context)]
