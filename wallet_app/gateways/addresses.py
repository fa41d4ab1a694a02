"""Which addresses belong to the internet, and which to somebody's own network."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291, section 2.4
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052, section 2.1
UNLISTED = [
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
]
"""Special by RFC 6890, 7526 and 9637, but global to the `ipaddress` of Python 3.11."""


def is_public(address: str) -> bool:
    """Return whether anybody on the internet could have this address.

    An IPv4 address inside an IPv6 one is judged in its place.
    """
    try:
        judged = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(judged, ipaddress.IPv6Address):
        inner = judged.ipv4_mapped or judged.sixtofour
        if judged in NAT64:
            inner = ipaddress.IPv4Address(int(judged) & 0xFFFF_FFFF)
        if judged.scope_id or (inner is None and judged not in GLOBAL_UNICAST):
            return False
        judged = inner or judged
    if judged.is_multicast or any(judged in network for network in UNLISTED):
        return False
    return judged.is_global


SUBSCRIBER_BITS = 64
"""What one subscriber is given at least of the IPv6 addresses (RFC 6177)."""


@lru_cache(maxsize=1_024)
def caller_of(address: str | None) -> str | None:
    """Return who counts as one caller: an IPv4 address, or the network of an IPv6
    address, whose owner can change the rest at will. None is for what is no address,
    such as the peer of a Unix socket."""
    try:
        counted = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(counted, ipaddress.IPv4Address):
        return str(counted)
    if counted.ipv4_mapped is not None:
        return str(counted.ipv4_mapped)
    host_bits = 128 - SUBSCRIBER_BITS
    return str(
        ipaddress.IPv6Network((int(counted) >> host_bits << host_bits, SUBSCRIBER_BITS))
    )


def literal(host: str) -> str | None:
    """Return the address that a host spells out, in any way the C library reads."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # 2130706433, 0x7f.1, 0177.1
    except OSError:
        return None
