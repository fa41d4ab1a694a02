"""Which addresses are public, and who counts as one caller."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.receivers_by_hand import no_connect, no_resolve
from wallet_app.domain.errors.webhook_errors import UrlNotAllowed
from wallet_app.gateways.addresses import caller_of, is_public
from wallet_app.gateways.delivery import Transport

PUBLIC = """
    93.184.216.34 8.8.8.8 223.255.255.254 2606:4700::1111 64:ff9b::808:808
    ::ffff:8.8.8.8 2002:808:808::1
""".split()
NOT_PUBLIC = """
    127.0.0.1 127.255.255.255 10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 0.0.0.0
    0.0.0.1 100.64.0.1 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1
    198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
    ::1 :: ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:0:127.0.0.1
    fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 ff0e::1 100::1 2001::1 2001:db8::1
    2002:7f00:1:: 2002:a00:1::1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1
    3fff::1 4000::1 5f00::1
""".split()


def url_of(host: str) -> str:
    return f"http://[{host}]/" if ":" in host else f"http://{host}/"


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_can_be_registered(address: str) -> None:
    assert is_public(address)
    Transport(resolve=no_resolve, connect=no_connect).check(url_of(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_can_be_registered_only_if_private_ones_can(
    address: str,
) -> None:
    assert not is_public(address)
    with pytest.raises(UrlNotAllowed, match="is not public"):
        Transport(resolve=no_resolve, connect=no_connect).check(url_of(address))
    Transport(True, no_resolve, no_connect).check(url_of(address))


@pytest.mark.parametrize(
    "text", ["fe80::1%eth0", "2606:4700::1111%eth0", "example.com", ""]
)
def test_what_is_no_address_of_the_internet_is_not_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize(
    "host",
    """
    2130706433 0x7f000001 0X7F000001 017700000001 0177.0.0.1 127.1 127.0.1 0x7f.1
    127.0.0.1. 127.0.0.1.. %31%32%37.0.0.1 0 0x0 2852039166 10.1 0xa9.0xfe.0xa9fe
    localhost LocalHost localhost. a.localhost A.LOCALHOST. [0:0:0:0:0:0:0:1]
    """.split(),
)
def test_a_host_that_is_not_public_is_refused_in_every_notation(host: str) -> None:
    with pytest.raises(UrlNotAllowed):
        Transport().check(f"http://{host}:8080/hook")


@given(st.text("0123456789abcdefxX.:", min_size=1, max_size=20))
def test_no_notation_that_the_system_reads_hides_an_address(host: str) -> None:
    try:
        found = socket.getaddrinfo(host, 80, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return
    if not is_public(str(found[0][4][0])):
        with pytest.raises(UrlNotAllowed):
            Transport().check(url_of(host))


@given(st.ip_addresses(v=4).filter(lambda address: not is_public(str(address))))
def test_no_number_hides_an_address(address: ipaddress.IPv4Address) -> None:
    for number in (str(int(address)), hex(int(address)), f"0{int(address):o}"):
        with pytest.raises(UrlNotAllowed):
            Transport().check(f"https://{number}/")


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", None),
        (None, None),
        ("a unix socket", None),
    ],
    ids=str,
)
def test_a_caller_is_an_ipv4_address_or_an_ipv6_network(
    address: str | None, caller: str | None
) -> None:
    assert caller_of(address) == caller
