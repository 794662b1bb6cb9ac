"""Whether the figures of a run are those of one in which nothing went wrong, and everything that it is for happened. Pure."""

from collections.abc import Mapping
from typing import Any

from tests.chaos.acts.compared import FIGURES

COUNTED = ("facts.lost", "facts.twice", "intents.lost", "intents.sent_twice", "order.breaks", "state.differences", *FIGURES)
ZERO = (*COUNTED, "exits")  # exits: of processes that nobody killed
# What says nothing where it never happened. In a calm run a pause may find no letter under way.
HAPPENED = ("move.moved", "cascade.fallbacks", "unmerge.parted")
DISTURBED = ("campaign.held",)


def wrong(figures: Mapping[str, Any], *, calm: bool) -> list[str]:
    """What is not as it must be, one line each."""
    found = [f"{name} is {figures[name]}, not 0" for name in ZERO if figures[name]]
    happened = HAPPENED if calm else (*HAPPENED, *DISTURBED)
    found += [f"{name} is 0: it was never tried" for name in happened if not figures[name]]
    if figures["failpoints.hit"] < figures["failpoints.total"]:
        found.append(f"{figures['failpoints.hit']} of {figures['failpoints.total']} fail points were hit")
    return found
