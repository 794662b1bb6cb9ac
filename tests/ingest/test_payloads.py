"""Bodies of webhooks, as other systems send them."""

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import Malformed, read_payload

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        ("application/json", b'{"a": [1, {"b": null}]}', {"a": [1, {}]}),  # null is the same as nothing there
        ("", b'  [{"a": 1}]', [{"a": 1}]),
        (FORM, b'{"a": 1}', {"a": 1}),  # Marquiz says form and sends JSON
        ("text/plain", b"Name=Ann&Email=ann%40example.org", {"Name": "Ann", "Email": "ann@example.org"}),
        (FORM, b"", {}),
        (FORM, "имя=Анна+К".encode(), {"имя": "Анна К"}),
        (f"{FORM}; charset=windows-1251", quote("имя", encoding="cp1251").encode() + b"=x", None),
        (FORM, b"a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        (FORM, b"COOKIES=&x", {"COOKIES": "", "x": ""}),
        (
            FORM,
            b"leads[add][0][id]=7&leads[add][0][name]=L&leads[add][1][id]=8",
            {"leads": {"add": [{"id": "7", "name": "L"}, {"id": "8"}]}},
        ),
        (FORM, b"tags[]=a&tags[]=b", {"tags": ["a", "b"]}),
        (FORM, b"v[0]=x&v[0][value]=y", {"v": [{"": "x", "value": "y"}]}),
        (FORM, b"v[0][value]=y&v[0]=x", {"v": [{"value": "y", "": "x"}]}),
        (FORM, b"a[=1&[b]=2&c]=3&d[x=4", {"a[": "1", "[b]": "2", "c]": "3", "d[x": "4"}),
        (FORM, b"3=a&0=b", {"3": "a", "0": "b"}),
    ],
)
def test_bodies(kind, body, value):
    if value is None:
        with pytest.raises(Malformed):  # percent-encoded bytes of another encoding are no text
            read_payload(kind, body)
    else:
        assert read_payload(kind, body) == value


def test_a_form_of_parts_with_a_file():
    body = (
        b'--x\r\nContent-Disposition: form-data; name="Email"\r\n\r\nann@example.org\r\n'
        b'--x\r\nContent-Disposition: form-data; name="answers[0]"\r\nContent-Type: text/plain; charset=cp1251\r\n\r\n\xc4\xe0\r\n'
        b'--x\r\nContent-Disposition: form-data; name="cv"; filename="cv.pdf"\r\nContent-Type: application/pdf\r\n\r\n\x00\xff\r\n--x--\r\n'
    )
    assert read_payload("multipart/form-data; boundary=x", body) == {"Email": "ann@example.org", "answers": ["Да"], "cv": "cv.pdf"}


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/json", b"{", "json_broken"),
        ("application/json", b'{"a": "\xff"}', "json_broken"),
        ("application/json", b"[" * 100 + b"]" * 100, "nesting_too_deep"),
        ("application/json", b'"' + b"x" * 300_000 + b'"', "body_too_large"),
        (FORM, b"a=%FF", "bad_text"),
        (FORM, b"a=%00", "bad_text"),
        ("application/json", b'{"a": "x\\u0000"}', "bad_text"),
        ("application/json", b'{"a\\u0000": 1}', "bad_text"),
        ("text/plain; charset=punycode", b"a=1", "bad_text"),
        ("text/plain; charset=unicode_escape", b"a=\\ud800", "bad_text"),
        ("x; charset=undefined", b"a=1", "bad_text"),
        ("multipart/form-data; x*", b"--x", None),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name*\r\n\r\n1\r\n--x--", None),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--",
            "form_broken",
        ),
        (FORM, b"\xff=1", "bad_text"),
        (FORM, b"&".join(b"f%d=1" % n for n in range(3000)), "too_many_fields"),
        ("multipart/form-data", b"--x", "form_broken"),
    ],
)
def test_what_cannot_be_read_is_told(kind, body, code):
    with pytest.raises(Malformed) as caught:
        read_payload(kind, body)
    assert code is None or caught.value.fault.code == code


@given(
    st.binary(max_size=300),
    st.sampled_from(["", FORM, "application/json", "multipart/form-data; boundary=a", "text/plain; charset=nope"]),
)
def test_whatever_comes_is_a_value_of_json_or_is_refused(body, kind):
    try:
        value = read_payload(kind, body)
    except Malformed:
        return
    json.dumps(value)


TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\0[")


@given(st.dictionaries(st.text(TEXT, min_size=1, max_size=5), st.text(TEXT, max_size=5), max_size=5))
def test_a_plain_form_comes_through_whole(fields):
    assert read_payload(FORM, urlencode(fields).encode()) == fields


def test_files_and_numbers_that_nothing_can_hold():
    assert read_payload(
        "application/json", b'{"file": "%b", "id": 18446744073709551616, "n": -9223372036854775808}' % (b"x" * 40_000)
    ) == {
        "id": "18446744073709551616",
        "n": -(2**63),
    }
