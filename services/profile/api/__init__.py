"""What the gateway asks of profile."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from runtime.process import Context
from services.profile.api import consents, erasures, identity, people


def api(context: Context) -> Sequence[BaseRoute]:
    return [*people.routes(context), *consents.routes(context), *identity.routes(context), *erasures.routes(context)]
