"""UUIDs in paths. One that is none is a 404 that says so."""

from __future__ import annotations

import re
from functools import cache

from flask import Flask, request
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import BaseConverter, Map, UnicodeConverter, UUIDConverter

from wallet_app.api.outgoing import problems
from wallet_app.api.outgoing.camel import camel


class _UuidText(BaseConverter):
    """Passes a UUID in a path to the view as text in lower case, as the service has
    it."""

    regex = UUIDConverter.regex

    def to_python(self, value: str) -> str:
        return value.lower()


def register(app: Flask) -> None:
    """Let routes take `<uuid:wallet_id>`."""
    app.url_map.converters["uuid"] = _UuidText

    @cache
    def any_ids() -> Map:
        """Return the same routes, which take any text for an id."""
        rules = [rule.empty() for rule in app.url_map.iter_rules()]
        return Map(rules, converters={"uuid": UnicodeConverter}, merge_slashes=False)

    @app.before_request
    def name_wrong_id() -> None:
        not_found = request.routing_exception
        if not isinstance(not_found, NotFound):
            return
        problems.forget_circle(not_found)
        try:
            _, ids = any_ids().bind("").match(request.path, request.method)
        except HTTPException as error:
            problems.forget_circle(error)
            return
        for name, value in ids.items():
            if not re.fullmatch(UUIDConverter.regex, value):
                raise NotFound(f"The {camel(name)} in the path is not a UUID.")
