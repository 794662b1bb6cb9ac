import pytest

from services.sender.channels.contract import Outcome
from services.sender.channels.smtp_codes import Stage, classify, enhanced, label

A, C, P = Outcome.PERMANENT_ADDRESS, Outcome.PERMANENT_CONTENT, Outcome.POLICY
R, T, U = Outcome.TRANSIENT, Outcome.THROTTLED, Outcome.AUTH


@pytest.mark.parametrize(
    ("stage", "code", "text", "outcome"),
    [
        *((Stage.RCPT, 550, f"{status} any words", A) for status in ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")),
        (Stage.DATA, 550, "5.1.1 Recipient address rejected", A),
        (Stage.RCPT, 550, "User unknown", A),
        (Stage.RCPT, 550, "Пользователь не найден", A),
        (Stage.DATA, 550, "invalid mailbox", A),
        (Stage.RCPT, 550, "5.4.1 Recipient address rejected: Access denied", A),
        (Stage.RCPT, 550, "Requested action not taken", A),
        (Stage.RCPT, 553, "no", A),
        (Stage.RCPT, 452, "4.2.2 over quota", R),
        (Stage.RCPT, 552, "5.2.2 mailbox full", R),
        (Stage.RCPT, 552, "full", R),
        (Stage.DATA, 550, "Mailbox is full", R),
        (Stage.RCPT, 451, "4.4.1 no answer from host", R),
        (Stage.RCPT, 450, "4.7.1 greylisted", R),
        (Stage.RCPT, 451, "Temporary local problem", R),
        (Stage.RCPT, 454, "4.7.0 not now", T),
        (Stage.MAIL, 421, "closing", T),
        (Stage.RCPT, 421, "4.7.28 unusual rate", T),
        (Stage.MAIL, 421, "4.3.2 shutting down", R),
        (Stage.RCPT, 450, "4.7.0 too many", T),
        (Stage.DATA, 550, "Too many messages, slow down", T),
        (Stage.DATA, 550, "5.7.26 unauthenticated", P),
        (Stage.RCPT, 550, "5.7.1 user unknown", P),
        (Stage.DATA, 550, "5.7.515 access denied", P),
        (Stage.DATA, 554, "message looks like spam", P),
        (Stage.RCPT, 550, "blocked: invalid recipient domain reputation", P),
        (Stage.RCPT, 550, "Заблокирован отправитель", P),
        (Stage.DATA, 554, "Transaction failed", P),
        (Stage.CONNECT, 554, "no service", P),
        (Stage.CONNECT, 550, "host does not exist", P),
        (Stage.MAIL, 550, "5.1.8 bad sender", P),
        (Stage.MAIL, 550, "5.1.1 unknown user", P),
        (Stage.DATA, 552, "5.3.4 too big", C),
        (Stage.DATA, 552, "too much", C),
        (Stage.DATA, 554, "5.6.0 bad content", C),
        (Stage.DATA, 554, "5.6.7 anything", C),
        (Stage.MAIL, 552, "message size exceeds limit", C),
        (Stage.MAIL, 530, "5.7.0 Authentication required", U),
        (Stage.MAIL, 535, "go away", U),
        (Stage.AUTH, 535, "5.7.8 bad credentials", U),
        (Stage.AUTH, 454, "4.7.0 temporary", R),
        (Stage.DATA, 550, "4.1.1 a class that is not the code's", P),
        (Stage.DATA, 599, "?", P),
        (Stage.DATA, 499, "?", R),
    ],
)
def test_table(stage, code, text, outcome):
    assert classify(stage, code, text) is outcome


def test_nothing_but_a_named_mailbox_costs_an_address():
    """Whatever the code, a refusal before RCPT or one that speaks of policy never suppresses."""
    for code in range(400, 600):
        assert classify(Stage.MAIL, code, "") is not A
        assert classify(Stage.RCPT, code, "5.7.1 user unknown" if code >= 500 else "4.7.1") is not A


def test_labels_hold_codes_only():
    assert label(550, "5.1.1 <ann@example.org>: no such user") == "550 5.1.1"
    assert label(550, "ann@example.org 10.0.0.1 refused") == "550"
    assert enhanced("5.1.10") == "5.1.10"
