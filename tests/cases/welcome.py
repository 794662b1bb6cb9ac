"""J1 as documents: six letters after a registration, one of them also by SMS, until a top-up of the balance.

A customer whose kind is UNKNOWN is treated as a natural person: most are, and a letter about prices offends no company. Should he
turn out to be a company later, the letters after that speak to it as one, since each asks at its own moment.
"""

from typing import Any

from tests.support.shop import journey, send, template

LEGAL = {"kind": "attribute", "name": "kind", "op": "eq", "value": "legal"}
BODY = '{{ profile.firstName }}, {% if profile.kind == "legal" %}for your company{% else %}for you{% endif %}: '
TEXTS = {
    "migration": BODY + "we move your servers for free, and safely",
    "price": BODY + "what it costs, how to pay by the day, and how to try for free",
    **{f"letter{number}": BODY + f"letter {number}" for number in range(2, 7)},
}
FIRST = {"legal": 48, "natural": 6, "unknown": 6}  # hours from the registration to the first letter
LATER = {"letter2": 1, "letter3": 3, "letter4": 4, "letter5": 6, "letter6": 7}  # days from the first letter to each of the others


def welcome(brand: str) -> list[dict[str, Any]]:
    letters = [template(key, brand, text=text) for key, text in TEXTS.items()]
    steps = (
        {"id": "kind", "if": LEGAL, "then": "two_days", "else": "six_hours"},
        {"id": "two_days", "wait": "2d"},
        send("migration", brand, next="pause2"),
        {"id": "six_hours", "wait": "6h"},
        send("price", brand),
        {"id": "pause2", "wait": "1d"},
        send("letter2", brand),
        {"id": "pause3", "wait": "2d"},
        send("letter3", brand),
        {"id": "pause4", "wait": "1d"},
        send("letter4", brand),
        send("sms", brand, channel="sms"),
        {"id": "pause5", "wait": "2d"},
        send("letter5", brand),
        {"id": "pause6", "wait": "1d"},
        send("letter6", brand),
    )
    sms = template("sms", brand, channel="sms", subject="", text="{{ profile.firstName }}, look into your mail")
    return [*letters, sms, journey("welcome", brand, "Registered", *steps, goal={"event": "Balance Topped Up"})]
