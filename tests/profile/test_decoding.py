"""What profile takes from `facts.raw`, which others write too."""

from types import SimpleNamespace

import pytest

from schemas.facts import encode, extend
from services.profile.handler import decode_raw
from tests.support.live import fact

DEEP = b"[" * 900 + b"1" + b"]" * 900  # msgspec reads it, a service that looks at every value does not


@pytest.mark.parametrize("field", ["properties", "attributes", "context", "later"])
def test_what_no_reader_bears_is_refused_by_the_name_of_its_field(field):
    value = DEEP if field == "later" else b'{"a":%b}' % DEEP
    record = SimpleNamespace(value=extend(encode(fact("1", "user_id:1")), b'"%b":%b' % (field.encode(), value)))
    with pytest.raises(ValueError, match=f"^{field}: nested deeper than 32 levels"):
        decode_raw(record)


def test_side_by_side_is_not_deep():
    products = [{"price": {"minor": 1, "currency": "GBP"}} for _ in range(100)]
    assert decode_raw(SimpleNamespace(value=encode(fact("1", "user_id:1", properties={"products": products}))))
