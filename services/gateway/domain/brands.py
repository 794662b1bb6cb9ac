"""A brand's address and time zone, seen when it is written and not when its first letter is due; and by which zone its days are meant.

The model takes any text: brands that were published before this was asked must stay readable to every service.
"""

from collections.abc import Mapping
from typing import Any

from schemas.identifiers import email
from schemas.zones import Zone, names, zone
from services.gateway.domain.problems import Fault


def clock_of(body: Mapping[str, Any] | None) -> Zone:
    """Whose days and weeks reports of this brand mean. UTC without a brand, and where its zone is none that there is."""
    named = str((body or {}).get("time_zone", "UTC"))
    return zone(named if named in names() else "UTC")


def faults_of(body: Mapping[str, Any]) -> list[Fault]:
    """Of a brand as it came: an address that no letter can come from, a time zone that there is not. Other types are the model's."""
    found = []
    address, named = body.get("from_email"), body.get("time_zone")
    if isinstance(address, str) and address and (address != address.strip() or email(address) is None):
        found.append(Fault("from_email", "address"))
    # Asking for one by name would take folders and what climbs out of the database for zones.
    if isinstance(named, str) and named not in names():
        found.append(Fault("time_zone", "time_zone"))
    return found
