"""Reading documents and references, pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.kinds import KINDS, key_of, read, text_of
from services.gateway.domain.problems import Problem
from services.gateway.domain.references import Standing, check, misfits, refs_of, users
from services.gateway.settings import GatewaySettings
from tests.gateway.test_documents import DOCUMENTS, KEYS

WORDS = """
    key brand name condition kind of steps id wait if then else template trigger event segment where path op value
    audience caps goal reentry mode subject html mjml text blocks channel quiet_hours from to exit_segment all any not did Wait Send _meta
""".split()  # noqa: SIM905 - a list of words
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
NAMES = st.sampled_from(WORDS)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
    max_leaves=25,
)


@pytest.mark.parametrize("kind", KINDS)
@given(body=JSON)
def test_whatever_comes_is_a_document_or_a_list_of_faults(kind, body):
    faults = faults_of(kind, body)
    for fault in faults or ():
        assert fault.told("en")["message"] and fault.told("ru")["message"]
    if faults is not None:
        assert faults and len({(fault.path, fault.code) for fault in faults}) == len(faults)


def faults_of(kind, body):
    """None: it is a document."""
    try:
        document = read(KINDS[kind], "k", body)
    except Problem as problem:
        return problem.faults
    return None if key_of(document) == "k" else ()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_reads_the_same(kind):
    one = KINDS[kind]
    key = KEYS.get(one.plural, "k")
    document = read(one, key, DOCUMENTS[one.plural])
    assert read(one, key, text_of(document)) == document


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"from_email": "News@Shop.example", "time_zone": "America/Argentina/Ushuaia"}, []),
        ({"from_email": "новости@магазин.рф"}, []),
        ({"from_email": ""}, []),
        ({"from_email": "news"}, ["from_email"]),
        ({"from_email": " news@shop.example"}, ["from_email"]),
        ({"from_email": "Shop <news@shop.example>", "time_zone": "Mars/Phobos"}, ["from_email", "time_zone"]),
        ({"from_email": "news@shop.example\nBcc: x@y.example"}, ["from_email"]),
        ({"time_zone": "Europe"}, ["time_zone"]),
        ({"time_zone": "../Europe/London"}, ["time_zone"]),
        ({"time_zone": ""}, ["time_zone"]),
        ({"time_zone": None, "from_email": 1}, ["time_zone", "from_email"]),
    ],
)
def test_where_letters_of_a_brand_come_from_and_when_its_day_begins(body, paths):
    assert [fault.path for fault in faults_of("brand", {"name": "B", **body}) or ()] == paths


def asks(**edges: str) -> dict:
    return {
        ("segment", key): Standing(1, None, frozenset(f"segment:{one}" for one in targets.split()))
        for key, targets in edges.items()
    }


def segment(key: str, *targets: str):
    body = {"condition": {"kind": "all", "of": [{"kind": "segment", "key": one} for one in targets]}}
    return read(KINDS["segment"], key, body)


@given(st.dictionaries(st.sampled_from("abcde"), st.sets(st.sampled_from("abcde")), min_size=5, max_size=5), st.data())
def test_a_circle_is_found_exactly_when_there_is_one(edges, data):
    """Against the plain definition: can the mentioned ones reach the one that is being published?"""
    key = data.draw(st.sampled_from("abcde"))
    world = asks(**{name: " ".join(sorted(targets)) for name, targets in edges.items()})
    document = segment(key, *sorted(edges[key]))
    reached = set(edges[key])
    for _ in range(5):
        reached |= {target for name in reached if name != key for target in edges[name]}
    faults = check("segment", key, document, world)
    assert ("cycle" in {fault.code for fault in faults}) == (key in reached)


def test_a_circle_is_told_at_the_mention_that_leads_into_it():
    steps = [{"id": "mail", "template": "b"}, {"id": "on", "jump": "b"}]
    journey = read(KINDS["journey"], "a", {"brand": "shop", "trigger": {"event": "E"}, "steps": steps})
    known = Standing(1, "shop", frozenset(), "email")
    world = {("brand", "shop"): known, ("template", "b"): known, ("journey", "b"): Standing(1, "shop", frozenset({"journey:a"}))}
    (fault,) = check("journey", "a", journey, world)
    assert (fault.path, fault.code, fault.params) == ("steps.1.jump", "cycle", {"through": "a > b > a"})


def test_who_mentions_a_document():
    world = asks(a="b c", b="c", c="", d="d")
    assert users("segment", "c", world) == [("segment", "a"), ("segment", "b")]
    assert users("segment", "d", world) == []
    assert refs_of(segment("x", "a", "b")) == {"segment:a", "segment:b"}


def test_what_was_published_anew_must_fit_every_mention_in_force():
    letter = {("template", "t"): Standing(1, "shop", frozenset(), "email")}
    steps = [{"id": "a", "template": "t"}, {"id": "b", "template": "t"}, {"id": "c", "template": "u", "channel": "sms"}]
    chain = {("journey", "j"): read(KINDS["journey"], "j", {"brand": "shop", "trigger": {"event": "E"}, "steps": steps})}
    assert misfits(set(letter), chain, letter) == []
    texts = {("template", "t"): Standing(2, "shop", frozenset(), "sms")}
    found = misfits(set(texts), chain, texts)
    assert [one.where for one in found] == ["journey j, step a", "journey j, step b"]
    paths = ["journeys.j.steps.0.template", "journeys.j.steps.1.template"]
    assert [(one.fault.path, one.fault.code) for one in found] == [(path, "other_channel") for path in paths]


def test_addresses_of_services():
    given_text = GatewaySettings(services=" profile=http://a:1, profile=http://b:2/,ingest.public=https://c ")
    assert given_text.services == {"profile": ("http://a:1", "http://b:2"), "ingest.public": ("https://c",)}
    for wrong in ("profile", "profile=a:1", "=http://a"):
        with pytest.raises(ValueError, match="name=http"):
            GatewaySettings(services=wrong)


def test_a_condition_about_consent_mentions_its_topic():
    segment = {"condition": {"kind": "not", "of": {"kind": "consent", "channel": "email", "topic": "news"}}}
    document = read(KINDS["segment"], "k", segment)
    assert [(fault.path, fault.code) for fault in check("segment", "k", document, {})] == [("condition", "unknown_reference")]
    assert not check("segment", "k", document, {("topic", "news"): Standing(1, None, frozenset())})
    everything = read(KINDS["segment"], "k", {"condition": {"kind": "consent", "channel": "email"}})
    assert not check("segment", "k", everything, {})
