"""Numbered pages, and links from one page to the others (RFC 8288)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import request

Starts = dict[str, Mapping[str, object]]
"""The parameters at which the page of each relation starts."""


def pages_of(total: int, limit: int) -> int:
    """Return how many pages there are."""
    return -(-total // limit)


def around(page: int, total_pages: int) -> Starts:
    """Return where the pages around a numbered one start."""
    starts: Starts = {"first": {"page": 1}}
    if page > 1:
        starts["prev"] = {"page": max(min(page - 1, total_pages), 1)}
    if page < total_pages:
        starts["next"] = {"page": page + 1}
    starts["last"] = {"page": max(total_pages, 1)}
    return starts


def links(starts: Starts) -> str:
    """Return a Link header, with the filters and the limit of this request."""
    kept = {k: v for k, v in request.args.items() if k not in ("page", "before")}
    return ", ".join(
        f'<{request.path}?{urlencode(kept | dict(start))}>; rel="{relation}"'
        for relation, start in starts.items()
    )
