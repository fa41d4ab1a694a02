"""The URL of a receiver, taken apart: what no receiver can have is refused here."""

from __future__ import annotations

from typing import NamedTuple

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from wallet_app.domain.errors.webhook_errors import UrlNotAllowed

URL_CHARACTERS_MAX = 2_000
"""More than that, some servers and proxies refuse."""

PORTS = {"http": 80, "https": 443}


class Target(NamedTuple):
    """Where a URL points. An IPv6 host has no brackets; the path has its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def name(self) -> str:
        """The host without the dot of a fully qualified name."""
        return self.host.rstrip(".")

    @property
    def host_header(self) -> str:
        host = f"[{self.name}]" if ":" in self.name else self.name
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parsed(url: str) -> Target:
    """Raise UrlNotAllowed for a URL that no receiver can have."""
    if len(url) > URL_CHARACTERS_MAX:
        raise UrlNotAllowed(f"the URL has over {URL_CHARACTERS_MAX} characters")
    if not url.isprintable() or " " in url or "\\" in url:
        raise UrlNotAllowed("the URL holds white space, a control character or \\")
    try:
        parts = parse_url(url)
        host = (parts.host or "").strip("[]")
        host.encode("idna")
    except (LocationParseError, UnicodeError) as error:
        raise UrlNotAllowed("the URL cannot be parsed") from error
    scheme = parts.scheme or ""
    for is_wrong, why in (
        (scheme not in PORTS, "the URL does not begin with http:// or https://"),
        (not host.strip("."), "the URL names no host"),
        ("%" in host, "the host holds a percent sign"),
        (parts.auth is not None, "the URL holds a user name or a password"),
        (parts.fragment is not None, "the URL holds a fragment"),
        (parts.port == 0, "the port is not one of 1 to 65535"),
    ):
        if is_wrong:
            raise UrlNotAllowed(why)
    return Target(scheme, host, parts.port or PORTS[scheme], parts.request_uri)
