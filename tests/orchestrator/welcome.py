"""J1 as documents: the welcome chain of six letters, one of them also by SMS, which a top-up of the balance ends at once."""

from typing import Any

from tests.orchestrator.world import journey, send, wait

LEGAL = {"kind": "attribute", "name": "legal_entity", "op": "eq", "value": True}
LEGAL_SEGMENT = "~journey.welcome.1.legal"


def welcome(**more: Any) -> dict[str, Any]:
    return journey(
        "welcome",
        {"id": "legal", "if": LEGAL, "then": "two_days", "else": "six_hours"},
        wait("two_days", "2d"),
        send("migration", next="pause2"),
        wait("six_hours", "6h"),
        send("price"),
        wait("pause2", "1d"),
        send("letter2"),
        wait("pause3", "2d"),
        send("letter3"),
        wait("pause4", "1d"),
        send("letter4"),
        send("text", channel="sms"),
        wait("pause5", "2d"),
        send("letter5"),
        wait("pause6", "1d"),
        send("letter6"),
        on="Registered",
        goal={"event": "Balance Topped Up", "where": [{"path": "amount.minor", "op": "gt", "value": 0}]},
        **more,
    )


REST = [("letter2", 1), ("letter3", 3), ("letter4", 4), ("text", 4), ("letter5", 6), ("letter6", 7)]  # days after the first
