"""By which names the server may be reached, and from whose pages.

A browser says by which name it reached a server and which page sent it. A name that
is not the server's own may have been pointed here by a stranger (DNS rebinding), and a
page of another origin may send requests that it cannot read.
"""

from __future__ import annotations

import ipaddress
from functools import partial
from urllib.parse import urlsplit

from flask import Flask, request
from werkzeug.exceptions import Forbidden


def register(app: Flask, allowed_hosts: tuple[str, ...]) -> None:
    """Refuse what comes by another name, or from a page of another origin.

    Without names, a server that listens on a loopback address is reached by an address
    or as localhost, and any other by every name.
    """
    app.before_request(partial(_refuse_strangers, allowed_hosts))


def _refuse_strangers(allowed_hosts: tuple[str, ...]) -> None:
    """Raise Forbidden for what is not sent to this server, or not by its own pages."""
    name = _name(request.host)
    if allowed_hosts:
        is_own = name in allowed_hosts
    else:
        is_own = _is_local(name) or not _is_loopback(request.environ["SERVER_NAME"])
    if not is_own:
        raise Forbidden(
            "This server is not reached by that name (WALLET_ALLOWED_HOSTS)."
        )
    origin = request.headers.get("Origin")
    own_origins = [request.host_url.rstrip("/")]
    if allowed_hosts:  # there may be a proxy before this server, which speaks TLS
        own_origins.append(f"https://{request.host}")
    foreign = origin is not None and origin not in own_origins
    if foreign or request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        if not _is_visit():
            raise Forbidden("This server answers pages of its own only.")


def _name(host: str) -> str:
    """Return the name in a Host header, or nothing if there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_local(name: str) -> bool:
    """Return whether nobody else can point a name of this kind at this server."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(server_name: str) -> bool:
    """Return whether a server listens where only its own machine can reach it."""
    try:
        return ipaddress.ip_address(server_name).is_loopback
    except ValueError:
        return server_name == "localhost"


def _is_visit() -> bool:
    """Return whether somebody follows a link to here, which changes nothing."""
    return (
        request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    )
