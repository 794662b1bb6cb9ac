"""What a batch claims reaches the pump, whatever becomes of the word of its commit."""

from types import SimpleNamespace

from runtime.batch import Item
from schemas.messages import decode_intent
from services.sender import handler, store
from tests.sender.live.kit import intent


async def test_a_claim_whose_commit_was_not_heard_of_is_not_forgotten_with_the_next_batch(monkeypatch):
    """The partition went to another process, so that the batch did not run again: the row is ours, and nobody else will look at it."""

    async def nobody(_connection, _ids):
        return {}

    async def claim(_connection, claims, _owner):
        return {one.id for one in claims}, set()

    monkeypatch.setattr(store, "resolved", nobody)
    monkeypatch.setattr(store, "claim", claim)
    jobs = []
    handle = handler.Handler(SimpleNamespace(owner=1, put=jobs.append), 4)
    tx = SimpleNamespace(connection=None)
    for n in (1, 2):
        await handle(tx, [Item(("messages.email.triggered", 0), n, intent(n), b"", None, None, 0)])
    await handle.committed()
    await handle.committed()
    assert [job.intent.id for job in jobs] == [intent(1).id, intent(2).id]


async def test_what_comes_for_somebody_erased_is_claimed_without_its_content(monkeypatch):
    async def resolved(_connection, _ids):
        return {intent(1).profile: {"id": intent(9).profile, "state": b"", "erased_at": 5}}

    async def claim(_connection, claims, _owner):
        claimed.extend(claims)
        return {one.id for one in claims}, set()

    claimed = []
    monkeypatch.setattr(store, "resolved", resolved)
    monkeypatch.setattr(store, "claim", claim)
    jobs = []
    handle = handler.Handler(SimpleNamespace(owner=1, put=jobs.append), 4)
    for n in (1, 2):
        said = intent(n, data={"event": {"city": "Samara"}})
        await handle(SimpleNamespace(connection=None), [Item(("messages.email.triggered", 0), n, said, b"", None, None, 0)])
    await handle.committed()
    assert [(decode_intent(one.intent).data == {}, one.profile) for one in claimed] == [
        (True, intent(9).profile),
        (False, intent(2).profile),
    ]
    assert [job.intent.data == {} for job in jobs] == [True, False]
