"""Pages in JSON, and links from one page to the others (RFC 8288)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from wallet_app.api.outgoing.answers import answer
from wallet_app.services.json_forms import JsonObject
from wallet_app.services.page import Page

Starts = dict[str, Mapping[str, object]]
"""The parameters at which the page of each relation starts."""


def page_answer(
    form: type[JsonObject], page: Page[Any], **rows: Sequence[JsonObject]
) -> Response:
    """Return a page, whose rows are given by their name, and a Link header, with the
    filters and the limit of this request."""
    total_pages = -(-page.total // page.limit)
    kept = {k: v for k, v in request.args.items() if k not in ("page", "before")}
    links = ", ".join(
        f'<{request.path}?{urlencode(kept | dict(start))}>; rel="{relation}"'
        for relation, start in _starts(page, total_pages).items()
    )
    return answer(form.of(page, total_pages=total_pages, **rows), Link=links)


def _starts(page: Page[Any], total_pages: int) -> Starts:
    """Return where the pages around this one start."""
    starts: Starts = {"first": {"page": 1}}
    if page.page is None:
        if page.has_more:
            starts["next"] = {"before": page.rows[-1].id}
        return starts
    if page.page > 1:
        starts["prev"] = {"page": max(min(page.page - 1, total_pages), 1)}
    if page.page < total_pages:
        starts["next"] = {"page": page.page + 1}
    starts["last"] = {"page": max(total_pages, 1)}
    return starts
