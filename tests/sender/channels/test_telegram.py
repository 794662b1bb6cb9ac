import httpx
import pytest

from services.sender.channels.contract import Outcome
from services.sender.channels.http_client import client
from services.sender.channels.telegram import read_answer
from tests.sender.channels.messengers import QUICK


def test_answers_that_are_none():
    assert read_answer(302, None).outcome is Outcome.POLICY
    assert read_answer(200, {"something": 1}).outcome is Outcome.UNKNOWN
    assert read_answer(418, {"ok": False, "error_code": 418}).outcome is Outcome.PERMANENT_CONTENT


def test_only_https_and_only_one_host():
    with pytest.raises(ValueError, match="https"):
        client("http://api.telegram.example", QUICK)
    made = client("https://api.telegram.example", QUICK)
    assert isinstance(made, httpx.AsyncClient)
    assert made.follow_redirects is False
    assert made.trust_env is False
