"""What keeps pages of other origins away from the demo server, and its page to itself.

A browser says by which name it reached a server and which page sent it. A name that is
neither an address nor localhost may have been pointed here by a stranger (DNS
rebinding), and a page of another origin may send requests that it cannot read.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import Forbidden

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Content-Security-Policy of the page: everything comes from this server."""

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def register(app: Flask) -> None:
    """Guard every request and every answer of an app."""
    app.before_request(_refuse_strangers)
    app.after_request(_close)


def _refuse_strangers() -> None:
    """Raise Forbidden for what a page of another origin has sent."""
    if not is_own_name(request.host):
        raise Forbidden("This server is reached by an address or as localhost.")
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin != request.host_url.rstrip("/")
    if foreign or request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        if not _is_visit():
            raise Forbidden("This server answers pages of its own only.")


def is_own_name(host: str) -> bool:
    """Tell whether nobody else can point a name of this kind at this server."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_visit() -> bool:
    """Tell whether somebody follows a link to here: that shows, and changes nothing."""
    return (
        request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    )


def _close(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
