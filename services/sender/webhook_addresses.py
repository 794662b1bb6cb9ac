"""Where a webhook may go: addresses of the public internet, and networks that the installation names. Pure."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_V4 = {
    name: [IPv4Network(one) for one in networks]
    for name, networks in {
        "this_network": ["0.0.0.0/8"],
        "private": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"],
        "loopback": ["127.0.0.0/8"],
        "link_local": ["169.254.0.0/16"],
        # Clouds answer who they are at addresses of the other kinds too; this one alone looks public (Azure).
        "metadata": ["168.63.129.16/32"],
        "special": ["192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
        "multicast": ["224.0.0.0/4"],
        "reserved": ["240.0.0.0/4"],
    }.items()
}
# Of IPv6 only what is given out as global unicast, without the parts that are documentation or hold an IPv4 address of any kind.
_GLOBAL = IPv6Network("2000::/3")
_V6_SPECIAL = [IPv6Network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def networks(text: str) -> tuple[Network, ...]:
    """Of "10.1.0.0/16, fd00::/8". Raises ValueError, which names the one that is none."""
    found: list[Network] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError as error:
            raise ValueError(f"OTKLIK_WEBHOOK_ALLOW: {part!r} is no network: write it like 10.1.0.0/16") from error
    return tuple(found)


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str:
    """Why nobody may call it, "" if it may be called. allowed: networks that the installation trusts with it."""
    if any(address in network for network in allowed):
        return ""
    if isinstance(address, IPv4Address):
        return next((name for name, some in _V4.items() if any(address in network for network in some)), "")
    if address.scope_id is not None or address not in _GLOBAL:
        return "not_global"
    return "special" if any(address in network for network in _V6_SPECIAL) else ""


def checked(found: Iterable[str], allowed: Sequence[Network] = ()) -> tuple[list[str], str]:
    """(addresses to connect to, why none may be). One bad address among those of a name is enough: its owner chooses which one is used."""
    addresses = list(dict.fromkeys(found))
    why = next(filter(None, (refusal(ip_address(one), allowed) for one in addresses)), "")
    return ([], why) if why else (addresses, "")
