"""What a rehearsal could not know is said in words of both languages."""

import pytest

from services.gateway.domain.problems import LANGUAGES
from services.gateway.domain.rehearsals import UNKNOWN, with_words

PARAMS = {"names": ["birthday", "phone"], "people": 2, "all": 30}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_gap_is_said_in_words(language):
    told = with_words({"id": "r", "report": {"goals": 1, "unknown": [{"code": code, **PARAMS} for code in UNKNOWN]}}, language)
    messages = {one["code"]: one["message"] for one in told["report"]["unknown"]}
    assert messages.keys() == UNKNOWN.keys()
    assert len(set(messages.values())) == len(UNKNOWN)
    assert "birthday, phone" in messages["personal"]
    assert "2" in messages["sample"] and "30" in messages["sample"]
    assert told["report"]["goals"] == 1


def test_a_job_that_has_no_report_yet_is_told_as_it_is():
    job = {"id": "r", "state": "running", "report": None}
    assert with_words(job, "en") == job
