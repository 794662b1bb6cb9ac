"""A brand's address and time zone, seen when it is written and not when its first letter is due.

The model takes any text: brands that were published before this was asked must stay readable to every service.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from schemas.identifiers import email
from services.gateway.domain.problems import Fault


def faults_of(body: Mapping[str, Any]) -> list[Fault]:
    """Of a brand as it came: an address that no letter can come from, a time zone that there is not. Other types are the model's."""
    found = []
    address, zone = body.get("from_email"), body.get("time_zone")
    if isinstance(address, str) and address and (address != address.strip() or email(address) is None):
        found.append(Fault("from_email", "address"))
    if isinstance(zone, str) and zone not in _zones():
        found.append(Fault("time_zone", "time_zone"))
    return found


@cache
def _zones() -> frozenset[str]:
    """Asking for one by name would take folders and what climbs out of the database for zones."""
    return frozenset(available_timezones())
