"""A no by a link counts also when the person is merged at that moment."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

from runtime import people
from runtime.db import Again
from services.sender.domain import Contact
from services.sender.links import Kind, Link
from services.sender.public import Public
from services.sender.subjects import subjects
from services.sender.visitors import Visit, Visitors
from tests.sender.live.kit import intent
from tests.sender.visiting import NOBODY_KNOWS, Comes, visit


async def test_a_merge_at_that_moment_does_not_lose_a_no(monkeypatch):
    tries, said = [], []

    async def load(_connection, ids):
        tries.append(list(ids))
        if len(tries) == 1:
            raise Again("merged while we waited for the lock")
        return SimpleNamespace(canonical=lambda one: one, gone=lambda _one: False, state=lambda _one: None, save=nothing)

    async def nothing(*_):
        return None

    @asynccontextmanager
    async def transaction():
        yield SimpleNamespace(execute=nothing)

    async def somebody(_request, kind):
        link = Link(kind, intent(1).id, 0)
        return Visit(link, intent(1), None, intent(1).profile, Contact(), subjects([]), 5, "en", "", "")

    async def tell(facts):
        said.extend(fact.event for fact in facts)

    monkeypatch.setattr(people, "load", load)
    visitors = Visitors(SimpleNamespace(transaction=transaction), None, None, None, 4)
    visitors.somebody, visitors.tell = somebody, tell
    answer = await Public(visitors).unsubscribe(SimpleNamespace(headers={}))
    assert (answer.status_code, said, len(tries)) == (200, ["Email Unsubscribed"], 2)


async def test_a_second_no_by_the_same_letter_is_a_word_of_its_own():
    """He has switched letters on again between the two: known by one id, the second would be taken for the first."""
    said = []
    for now in (5, 6, 6):
        comes = Comes(visit(Contact(addresses={"email": (1, "a@example.org")}), Kind.UNSUBSCRIBE, now=now))
        assert (await Public(comes).unsubscribe(NOBODY_KNOWS)).status_code == 200
        assert comes.forbidden == comes.said
        said += [fact.id for fact in comes.said]
    assert said[0] != said[1] == said[2]
