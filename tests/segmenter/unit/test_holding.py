"""A person's copy has all that the segmenter keeps of him."""

import msgspec

from schemas.permission import Said
from schemas.unnamed import UNNAMED
from services.segmenter.domain import state
from services.segmenter.domain.series import Series
from services.segmenter.domain.state import State
from services.segmenter.holding import told

UNTOLD = {"revision", "clock", "due", "horizons", "apart", "owed", "awaits"}
WHOLE = State(
    revision=1,
    clock=2,
    due=3,
    kinds=("email",),
    bucketing=(101, "bucket"),
    members={"vip": 102, f"{UNNAMED}x": 103},
    horizons={3: 4},
    series={2**62 + 1: Series(104, 105, 106, 107, [108, 109], [110, 111])},
    attributes={"city": (112, "Omsk"), "lastName": (113, None)},
    apart=("someone",),
    owed=1,
    awaits=1,
    since={2**62 + 1: Series(114, 115, 116, 117, [118], [119])},
    words={"shop|email|*": Said(yes=120, until=121)},
)


def test_all_of_a_state_is_told():
    for field in msgspec.structs.fields(State):
        assert getattr(WHOLE, field.name) != field.default, f"{field.name}: give it a value above, and tell it"
    assert {field.name for field in msgspec.structs.fields(State)} - UNTOLD == {
        "kinds",
        "bucketing",
        "members",
        "series",
        "since",
        "attributes",
        "words",
    }
    assert told([state.decode(state.encode(WHOLE))]) == {
        "segments": {"vip": 102},
        "conditions": {f"{UNNAMED}x": 103},
        "attributes": {"city": "Omsk"},
        "kinds": ["email"],
        "bucketing": [{"at": 101, "value": "bucket"}],
        "permissions": {"shop|email|*": {"yes": 120, "ends": 121}},
        "counted": [
            {
                "series": str(2**62 + 1),
                "count": 104,
                "total": 105,
                "first_at": 106,
                "last_at": 107,
                "times": [108, 109],
                "amounts": [110, 111],
            }
        ],
        "counted_since": [
            {
                "series": str(2**62 + 1),
                "count": 114,
                "total": 115,
                "first_at": 116,
                "last_at": 117,
                "times": [118],
                "amounts": [119],
            }
        ],
    }
    assert told([]) == {
        "segments": {},
        "conditions": {},
        "attributes": {},
        "kinds": [],
        "bucketing": [],
        "permissions": {},
        "counted": [],
    }
