"""What the environment may say about a local run, and what is said back when it is wrong."""

import pytest

from deploy.local.errors import LocalRunError
from deploy.local.settings import ROOT, LocalSettings


def test_the_home_lies_in_the_checkout_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("OTKLIK_HOME", raising=False)
    assert LocalSettings.from_environment().home == ROOT / ".otklik"


def test_a_relative_home_becomes_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTKLIK_HOME", "here")
    assert LocalSettings.from_environment().home == tmp_path / "here"


def test_workers_are_read(monkeypatch):
    monkeypatch.setenv("OTKLIK_WORKERS", "profile=2, sender=3")
    assert LocalSettings.from_environment().workers == {"profile": 2, "sender": 3}


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("OTKLIK_WORKERS", "postman=2", "postman=2"),
        ("OTKLIK_WORKERS", "sender=many", "sender=many"),
        ("OTKLIK_PORT", "70000", "OTKLIK_PORT"),
        ("OTKLIK_KAFKA_PORT", "nine", "OTKLIK_KAFKA_PORT"),
    ],
)
def test_a_fault_names_the_variable(monkeypatch, variable, value, named):
    monkeypatch.setenv(variable, value)
    with pytest.raises(LocalRunError, match=named) as caught:
        LocalSettings.from_environment()
    assert variable in str(caught.value)


def test_the_url_of_the_database_is_not_shown(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://a:secret@127.0.0.1/b")
    settings = LocalSettings.from_environment()
    assert settings.database_url and "secret" not in repr(settings)
