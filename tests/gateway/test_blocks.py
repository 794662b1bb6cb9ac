"""A template that renders a block which it does not have could never be sent."""

import pytest

from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Problem


def template(html: str, **blocks: str) -> dict[str, object]:
    return {"key": "t", "brand": "shop", "subject": "s", "html": html, "blocks": blocks}


def test_a_block_that_there_is_not_is_a_fault() -> None:
    with pytest.raises(Problem) as raised:
        read(KINDS["template"], "t", template('<p>{% render "nope" %}</p>', foot="x"))
    assert [fault.path for fault in raised.value.faults] == ["html"]


def test_blocks_that_there_are() -> None:
    read(KINDS["template"], "t", template('{% render "a", out: unsubscribe_url %}', a='{% render "b" %}', b="{{ out }}"))
