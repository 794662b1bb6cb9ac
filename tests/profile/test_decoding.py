"""What profile takes from `facts.raw`, which others write too."""

from types import SimpleNamespace

import msgspec
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


@pytest.mark.parametrize(
    "more",
    [
        {"home": "00000000-0000-5000-8000-000000000000"},
        {"bucketing_id": "00000000-0000-5000-8000-000000000000", "bucketed_at": 1},
        {"lost": ["email:x@e.org"]},
        {"contested": ["email:x@e.org"]},
        {"ruled": ["city"]},
        {"profile": "00000000-0000-5000-8000-000000000000"},
    ],
)
def test_what_only_profile_may_say_is_refused(more):
    raw = msgspec.json.encode({**msgspec.to_builtins(fact("1", "user_id:a")), **more})
    with pytest.raises(ValueError, match="leave them out"):
        decode_raw(SimpleNamespace(value=raw))


@pytest.mark.parametrize("source", ["a,b", "", "a\nb", "x" * 201])
def test_a_source_that_could_not_be_kept_with_others_is_refused(source):
    with pytest.raises(ValueError, match="source"):
        decode_raw(SimpleNamespace(value=encode(msgspec.structs.replace(fact("1", "user_id:a"), source=source))))
