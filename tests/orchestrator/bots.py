"""A bot for tests, and somebody who talks with it."""

from typing import Any

from schemas.bots import answer_data, start_data
from schemas.messages import Intent
from tests.orchestrator.world import World, published

CHAT = "telegram_id:77"
QUIZ = {
    "key": "quiz",
    "words": ["/quiz", "quiz"],
    "expires": "2d",
    "steps": [
        {"id": "hello", "say": "A quiz of two questions."},
        {
            "id": "q1",
            "ask": "2 + 2?",
            "options": [
                {"text": "Four", "value": "4", "points": 2},
                {"text": "Five", "value": "5"},
                {"text": "Stop", "next": "bye"},
            ],
        },
        {"id": "mail", "ask": "Your e-mail? It gives 3 points.", "kind": "email", "points": 3, "repeats": 1, "skip": "No"},
        {"id": "keep", "set": {"quiz_points": {"take": "points"}, "first_answer": {"take": "answers.q1"}}},
        {"id": "good", "if": {"at_least": 5}, "then": "well", "else": "bye"},
        {"id": "well", "say": "{{ bot.points }} points!"},
        {"id": "won", "end": True, "result": "winner"},
        {"id": "bye", "say": "Until next time."},
        {"id": "end", "end": True},
    ],
}
NEWS = {
    "key": "news",
    "words": ["/news"],
    "steps": [
        {"id": "want", "ask": "News of grammar?", "options": [{"text": "Yes"}, {"text": "No", "next": "no"}]},
        {"id": "on", "subscribe": "grammar", "channels": ["telegram", "email"]},
        {"id": "yes", "raise": "Topic Chosen", "properties": {"topic": "grammar"}},
        {"id": "thanks", "say": "Thank you.", "next": "end"},
        {"id": "no", "unsubscribe": "grammar"},
        {"id": "end", "end": True},
    ],
}
MENU = {
    "text": "What would you like?",
    "buttons": [{"text": "Play", "start": "quiz"}, {"text": "Site", "url": "https://x.example/"}],
}


def bot(*dialogues: dict[str, Any], version: int = 1, **more: Any) -> Any:
    body = {"key": "b", "brand": "shop", "channel": "telegram", "menu": MENU, "dialogues": list(dialogues) or [QUIZ, NEWS], **more}
    return published("bot", body, version)


class Player:
    """What somebody does, and what he is answered: the names of the texts, and facts."""

    def __init__(self, world: World, who: str = "ann", chat: str = CHAT) -> None:
        self.world, self.who, self.chat = world, who, chat
        self.runs: list[str] = []

    def starts(self, **said: Any) -> list[str]:
        return self._does("Bot Started", **said)

    def writes(self, words: str | None = None) -> list[str]:
        return self._does("Bot Message", **({"written": words} if words is not None else {}))

    def presses(self, dialogue: str, step: str = "", option: int | None = None, run: str = "") -> list[str]:
        last = next((i.data["bot"]["run"] for i in reversed(self.world.intents)), "0" * 8)
        data = answer_data(run or last, dialogue, step, option) if step else start_data(dialogue)
        return self._does("Bot Button", pressed=data)

    def _does(self, event: str, **properties: Any) -> list[str]:
        before = len(self.world.intents)
        said = {"bot": "b", "channel": "telegram", **properties}
        self.world.fact(self.who, event, identifiers=(self.chat,), source="bot.b", properties=said)
        new: list[Intent] = self.world.intents[before:]
        assert len(new) <= 1, "one message answers one"
        return list(new[0].data["bot"]["parts"]) if new else []


def facts(world: World, event: str = "") -> list[Any]:
    found = [e for e in world.log if type(e).__name__ == "Fact"]
    return [fact for fact in found if fact.event == event] if event else found
