"""What is not for the outside shares the port with what is: only this machine may ask for it, and only directly."""

from typing import Any

from . import wire
from .problems import problem

INSIDE = "/internal/"
_LOOPBACK = ("127.0.0.1", "::1")
_PASSED_ON = (b"x-forwarded-for", b"forwarded", b"x-real-ip")
_HIDDEN = problem(404, "not_found", "Calls go to /v1/batch, /v1/track and so on.")


class Doors:
    """The ASGI application: /internal/* for processes of this machine, everything else for everybody.

    A request that a proxy passed on is from the outside, although the proxy may stand on this machine.
    """

    def __init__(self, outside: Any, inside: Any) -> None:
        self._outside, self._inside = outside, inside

    async def __call__(self, scope: wire.Scope, receive: wire.Receive, send: wire.Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(INSIDE):
            await self._outside(scope, receive, send)
        elif _is_inside(scope):
            await self._inside(scope, receive, send)
        else:
            await wire.answer(send, _HIDDEN.status, _HIDDEN.headers, _HIDDEN.body)


def _is_inside(scope: wire.Scope) -> bool:
    client = scope.get("client")
    passed_on = any(name in _PASSED_ON for name, _ in scope["headers"])
    return client is not None and client[0] in _LOOPBACK and not passed_on
