"""Which addresses a webhook may go to: none that the standard library holds for anything but public, and no way around that."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.webhook_addresses import checked, networks, refusal

PUBLIC = ["8.8.8.8", "93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "2a02:6b8::feed:ff", "2001:4860:4860::8888"]
V4 = st.ip_addresses(v=4)
V6 = st.one_of(st.ip_addresses(v=6), st.ip_addresses(network="2000::/3"), st.ip_addresses(network="2001::/16"))
INSIDE = st.one_of(
    *(st.ip_addresses(network=one) for one in
      ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "224.0.0.0/4", "0.0.0.0/8"))
)  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_may_be_called(address):
    assert refusal(ip_address(address)) == ""


@given(V4 | V6)
def test_nothing_else_may(address):
    if refusal(address) == "":
        assert address.is_global and not address.is_multicast and not address.is_reserved and not address.is_link_local
        assert not address.is_loopback and not address.is_unspecified and not address.is_private
        if isinstance(address, IPv6Address):
            assert (
                address.ipv4_mapped is None and address.sixtofour is None and address.teredo is None and not address.is_site_local
            )


@given(INSIDE)
def test_an_inner_address_is_inner_however_it_is_wrapped(inner):
    number = int(inner)
    wrapped = [
        IPv6Address((0xFFFF << 32) | number),  # mapped
        IPv6Address(number),  # compatible, of old
        IPv6Address((0xFFFF << 48) | number),  # translated
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),  # NAT64
        IPv6Address(int(IPv6Address("64:ff9b:1::")) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),  # 6to4
        IPv6Address(int(IPv6Address("2001::")) | (number ^ 0xFFFFFFFF)),  # Teredo
    ]
    assert all(refusal(one) for one in (inner, *wrapped))


@pytest.mark.parametrize("address", ["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fe80::1%eth0"])  # fmt: skip
def test_where_clouds_tell_secrets_is_refused(address):
    assert refusal(ip_address(address))


@given(st.lists(st.sampled_from(PUBLIC), min_size=1, max_size=4), INSIDE, st.data())
def test_one_bad_address_of_a_name_is_enough(good, bad, data):
    assert checked(good) == (list(dict.fromkeys(good)), "")
    place = data.draw(st.integers(0, len(good)))
    assert checked([*good[:place], str(bad), *good[place:]])[0] == []


@given(INSIDE)
def test_what_the_installation_names_may_be_called_and_its_neighbours_may_not(address):
    assert refusal(address, networks(f"fd00::/8, {address}/32")) == ""
    beside = IPv4Address(int(address) ^ 1)
    assert refusal(beside, networks(f"{address}/32")) != ""
    assert refusal(IPv6Address((0xFFFF << 32) | int(address)), networks(f"{address}/32")) != "", "its wrapped form is another one"


def test_what_is_no_network_is_named():
    assert networks("") == () and networks(" fd00::/8 ,10.0.0.0/8,")[0] == IPv6Network("fd00::/8")
    with pytest.raises(ValueError, match=r"OTKLIK_WEBHOOK_ALLOW: '10.0.0.1/8'"):
        networks("10.0.0.1/8")
