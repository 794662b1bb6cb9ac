"""What scanners of letters click counts for nobody, and the same clicks do not in the report of outcomes and in attribution."""

from typing import Any, NamedTuple

import pytest

from schemas.facts import Fact
from schemas.ids import derive
from services.audience.domain.world import World
from services.audience.handler import reporting
from services.audience.store.answers import Answers
from tests.audience.kept import Kept, fact
from tests.audience.test_attribution import AT, NOW, TARGET, asked
from tests.audience.test_verdicts import decided

HOUR = 3_600_000


class Story(NamedTuple):
    """One letter of his, sent at 0. clicks: ms after that and the link; delivered: ms after that; left: how many of the clicks are a person's."""

    name: str
    clicks: tuple[tuple[int, int], ...]
    left: int
    delivered: int | None = None


def many(begin: int, *links: int) -> tuple[tuple[int, int], ...]:
    return tuple((begin + 900 * place, link) for place, link in enumerate(links))


STORIES = (
    Story("a reader", ((60_000, 0), (61_000, 1), (90_000, 2)), 3),
    Story("at once", ((1_999, 0), (2_000, 1)), 1),
    Story("before it was told as sent", ((-HOUR, 0), (HOUR, 0)), 1),
    Story("three links", many(60_000, 0, 1, 2), 0),
    Story("three links in just two seconds", ((60_000, 0), (60_500, 1), (62_000, 2)), 3),
    Story("one link three times", many(60_000, 0, 0, 0), 3),
    Story("one link again", many(60_000, 0, 1, 0), 3),
    Story("and then a reader", (*many(60_000, 0, 1, 2), (2 * HOUR, 0)), 1),
    Story("a reader first", ((30_000, 0), *many(60_000, 0, 1, 2)), 1),
    Story("twice", (*many(60_000, 0, 1, 2), *many(2 * HOUR, 0, 1, 2)), 0),
    Story("five links", many(60_000, 0, 1, 2, 3, 4), 0),
    Story("over the edge of two cells", ((61_999, 0), (62_001, 1), (63_998, 2)), 0),
    Story("three in one instant", ((60_000, 0), (60_000, 1), (60_000, 2)), 0),
    Story("right after it came", ((60_000, 0), (61_999, 1), (62_000, 2)), 1, delivered=60_000),
    Story("long before it came", ((60_000, 0),), 1, delivered=HOUR),
)


def facts(number: int, story: Story, way: str) -> list[Fact]:
    who, intent = derive("reader", number), derive("intent", number)
    said = {"intent": intent, "document": f"campaign:{story.name}", "channel": "email"}
    told = [fact(who, "sent", f"{way} Sent", AT, source="sender", properties=said)]
    told += [fact(who, "came", f"{way} Delivered", AT + story.delivered, properties=said)] if story.delivered is not None else []
    return told + [
        fact(who, ("click", place), f"{way} Link Clicked", AT + at, properties={**said, "link": link})
        for place, (at, link) in enumerate(story.clicks)
    ]


def counted(kept: Kept) -> dict[str, Any]:
    told = reporting.counted(Answers(kept.index), World({}), {"asked": {"by": ["document"]}}, None, NOW)
    return {row["document"]: row for row in told["rows"]}


@pytest.mark.parametrize("way", ["Email", "SMS"])
def test_the_same_clicks_are_a_scanners_in_outcomes_and_in_attribution(kept: Kept, way: str) -> None:
    for number, story in enumerate(STORIES):
        kept.lake.decide([decided(derive("reader", number), number, at=AT, document=f"campaign:{story.name}")])
    kept.told(*(one for number, story in enumerate(STORIES) for one in facts(number, story, way)))
    outcomes, found = counted(kept), asked(kept, target=TARGET, level="document")
    touches = {row["label"]: row["touches"] for row in found["rows"]}
    for story in STORIES:
        document = f"campaign:{story.name}"
        assert touches.get(document, 0) == story.left, story.name
        assert outcomes[document]["clicked"]["messages"] == (story.left > 0), story.name
        assert outcomes[document]["clicked_raw"]["messages"] == 1, story.name
    assert found["scanner_clicks"] == sum(len(story.clicks) - story.left for story in STORIES)


def test_letters_of_two_mailers_with_one_number_are_two(kept: Kept) -> None:
    """Each of them begins at 1: what one sent later is not the letter that was clicked."""
    said, day = {"intent": "17", "document": "campaign:a", "channel": "email"}, 24 * HOUR
    who = derive("reader", 1)
    kept.told(
        fact(who, "sent", "Email Sent", AT, source="one", properties=said),
        fact(who, "click", "Email Link Clicked", AT + HOUR, source="one", properties={**said, "link": 0}),
        fact(who, "other", "Email Sent", AT + day, brand="other", source="two", properties={**said, "document": "campaign:b"}),
        fact(derive("reader", 2), "another's", "Email Sent", AT + day, source="two", properties={**said, "document": "campaign:b"}),
    )
    found = asked(kept, target=TARGET, level="document")
    assert ({row["label"]: row["touches"] for row in found["rows"]}, found["scanner_clicks"]) == ({"campaign:a": 1}, 0)
    assert asked(kept, target=TARGET, level="document", brands=["{x}"])["rows"] == [], "any text may be a brand's name"


def test_what_is_told_of_a_letter_is_no_visit_though_it_bears_the_letters_tags(kept: Kept) -> None:
    said = {"intent": derive("intent", 1), "document": "campaign:a", "channel": "email", "utm_medium": "email", "utm_source": "us"}
    kept.told(
        *(fact(derive("reader", 1), name, name, AT, source="sender", properties=said) for name in ("Email Sent", "Email Opened"))
    )
    assert asked(kept, target=TARGET)["rows"] == []
