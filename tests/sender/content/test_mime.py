"""Our writer against the standard library's parser: whatever goes in comes out."""

import email
import email.policy
import re
from email.header import decode_header, make_header
from email.utils import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.sender.content.header_words import MimeError
from services.sender.content.mime import Letter, marketing_headers, write

BASE = {
    "sender": "news@shop.example",
    "to": "ann@example.org",
    "subject": "s",
    "text": "t",
    "html": None,
    "message_id": "1@shop.example",
    "date_ms": 0,
}
SCALARS = st.characters(exclude_categories=["Cs"])
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300)
MIXED = st.one_of(LINE, st.text("aA =?_\"\\<>,.@:;()'", max_size=120), st.text("аЯё 😀é", max_size=200))


def parsed(**changes) -> email.message.EmailMessage:
    data = write(Letter(**(BASE | changes)))
    for line in data.split(b"\r\n"):
        assert len(line) <= 998
        assert b"\n" not in line and b"\r" not in line
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert not message.defects
    return message


def body(message, kind: str) -> str:
    part = message.get_body((kind,))
    return part.get_payload(decode=True).decode(part.get_content_charset())


def lines(text: str) -> str:
    """Line ends are one kind on the wire, and a letter ends with one."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return unified if unified.endswith("\r\n") else unified + "\r\n"


@given(MIXED)
@example("=?utf-8?b?0Y8=?=")
@example(" два  пробела ")
@example("x" * 1200)
def test_any_subject_comes_back(subject):
    assert parsed(subject=subject)["subject"] == subject


@given(MIXED)
@example('Иванов, Иван "Ваня" <ann@example.org>')
@example("a\\b")
def test_any_name_comes_back_and_never_becomes_an_address(name):
    message = parsed(name=name, sender_name=name)
    for header, wanted in (("to", BASE["to"]), ("from", BASE["sender"])):
        (address,) = message[header].addresses
        assert address.addr_spec == wanted
        # The parser's own display_name puts a space between two encoded words of a phrase (RFC 2047 6.2 says none): compare without.
        assert address.display_name.replace(" ", "") == name.replace(" ", "")


@given(MIXED)
def test_a_name_is_shown_exactly(name):
    raw = email.message_from_bytes(write(Letter(**(BASE | {"name": name}))))["to"]
    shown, _, address = raw.replace("\r\n", "").replace("\n", "").rpartition("<")
    if not name:
        assert raw == BASE["to"]
        return
    assert address == BASE["to"] + ">"
    decoded = str(make_header(decode_header(shown.rstrip(" "))))
    assert (unquote(decoded) if not shown.startswith("=?") else decoded) == name


@given(st.text(SCALARS, max_size=600), st.text(SCALARS, max_size=600))
@example(".\n..\nFrom x\n", "")
@example("a" * 5000, "é" + "a" * 5000)
@example("tail  \n", "=3D=\n")
@example("\x00\x1f\x7f\x85\u2028", "\r\r\n\n\r")
def test_any_body_comes_back(text, html):
    message = parsed(text=text, html=html)
    assert body(message, "plain") == lines(text)
    assert body(message, "html") == lines(html)
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert body(parsed(text=text), "plain") == lines(text)


@given(st.text(max_size=40))
def test_no_text_makes_a_header(evil):
    """Either the field is refused or the letter has exactly the headers it should have."""
    fields = [{"subject": evil}, {"name": evil}, {"sender_name": evil}, {"headers": (("X-Extra", evil),)}, {"message_id": evil}]
    for changes in fields:
        try:
            message = parsed(**changes)
        except MimeError:
            continue
        expected = {
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
            "X-Extra",
        }
        assert set(message.keys()) <= expected


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n", "\x00", "\x0b", "\x85", "\u2028"])
@pytest.mark.parametrize("field", ["subject", "name", "sender_name", "sender", "to", "reply_to", "message_id"])
def test_line_breaks_in_headers_are_refused_by_name(field, break_):
    with pytest.raises(MimeError) as caught:
        write(Letter(**(BASE | {field: f"a{break_}Bcc: eve@example.org"})))
    assert "eve" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Bcc", "x@y.z"),
        ("subject", "x"),
        ("X Y", "1"),
        ("X:Y", "1"),
        ("X\r\nY", "1"),
        ("", "1"),
        ("List-Unsubscribe", "<" + "x" * 1000 + ">"),
        ("List-ID", "я"),
    ],
)
def test_extra_headers_that_are_refused(name, value):
    with pytest.raises(MimeError):
        write(Letter(**(BASE | {"headers": ((name, value),)})))


def test_marketing_headers_stand_on_one_line_each():
    url = "https://t.shop.example/u/" + "x" * 200
    headers = marketing_headers(url, "<news.shop.example>", "c:s:t:shop", "id-1", "leave@shop.example")
    data = write(Letter(**(BASE | {"headers": headers, "reply_to": "help@shop.example"}))).decode()
    assert f"\r\nList-Unsubscribe: <{url}>, <mailto:leave@shop.example>\r\n" in data
    assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in data
    assert "\r\nReply-To: help@shop.example\r\n" in data
    assert "\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n" in data
    for name in ("List-ID: <news.shop.example>", "Feedback-ID: c:s:t:shop", "X-Send-Id: id-1", "MIME-Version: 1.0"):
        assert f"\r\n{name}\r\n" in data


def test_encodings_are_chosen_by_what_is_written():
    def encoding(text):
        return parsed(text=text)["content-transfer-encoding"]

    assert encoding("plain\n" * 100) == "7bit"
    assert encoding("x" * 2000) == "quoted-printable"
    assert encoding("plain text and a café\n" * 10) == "quoted-printable"
    assert encoding("по-русски") == "base64"


def test_the_boundary_is_its_own_and_the_same_again():
    first, again, other = (write(Letter(**(BASE | {"html": "h", "message_id": name}))) for name in ("1@a.b", "1@a.b", "2@a.b"))
    assert first == again
    found = [re.search(rb'boundary="([^"]+)"', data)[1] for data in (first, other)]
    assert found[0] != found[1]
