"""A no by a link counts also when the person is merged at that moment."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

from runtime import people
from runtime.db import Again
from services.sender.public import Public
from tests.sender.live.test_sender_live import intent


async def test_a_merge_at_that_moment_does_not_lose_a_no(monkeypatch):
    tries, said = [], []

    async def load(_connection, ids):
        tries.append(list(ids))
        if len(tries) == 1:
            raise Again("merged while we waited for the lock")
        return SimpleNamespace(canonical=lambda one: one, state=lambda _one: None, save=nothing)

    async def nothing(*_):
        return None

    @asynccontextmanager
    async def transaction():
        yield SimpleNamespace(execute=nothing)

    async def now():
        return 5, False

    async def row(_request, _kind):
        return None, {"profile": intent(1).profile}, intent(1)

    async def publish(_intent, _person, event, _name, _more):
        said.append(event)

    monkeypatch.setattr(people, "load", load)
    public = Public(SimpleNamespace(transaction=transaction), None, None, SimpleNamespace(now=now), 4)
    public._row, public._publish = row, publish
    answer = await public.unsubscribe(SimpleNamespace(headers={}))
    assert (answer.status_code, said, len(tries)) == (200, ["Email Unsubscribed"], 2)
