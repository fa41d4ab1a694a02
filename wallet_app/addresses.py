"""Which addresses belong to the internet, and which to somebody's own network."""

from __future__ import annotations

import ipaddress
import socket

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291, section 2.4
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052, section 2.1
UNLISTED = [
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
]
"""Special by RFC 6890, 7526 and 9637, but global to the `ipaddress` of Python 3.11."""


def is_public(address: str) -> bool:
    """Tell whether anybody on the internet could have this address.

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
