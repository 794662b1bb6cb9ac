"""A group that could not be written for a passing reason is written again, and nobody who waits for it hears of that."""

import pytest

from runtime.db import Again
from services.sender.groups import Group


@pytest.mark.parametrize("why", [Again("merged meanwhile"), ConnectionError("the server is gone")])
async def test_a_merge_and_a_lost_connection_cost_no_result(why):
    tries = []

    async def flush(entries):
        tries.append(list(entries))
        if len(tries) == 1:
            raise why
        return [True for _ in entries]

    assert await Group(flush, 8).add("result") is True
    assert tries == [["result"]] * 2
