"""The page and its conveniences over HTTP."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, current_app, request, send_from_directory
from marshmallow import fields
from marshmallow.validate import Range
from werkzeug.exceptions import RequestEntityTooLarge

from wallet_app.api.incoming.body import BodyReader
from wallet_app.api.incoming.fields import QueryInteger, Text, UuidText
from wallet_app.api.incoming.query import read_query
from wallet_app.api.outgoing.answers import answer
from wallet_app.api.outgoing.camel import CamelSchema
from wallet_app.demo.guard import POLICY
from wallet_app.demo.people import PEOPLE_MAX
from wallet_app.demo.state import state_of
from wallet_app.demo.storm.report import CLIENTS_MAX, TRANSFERS_MAX, TRANSFERS_MIN
from wallet_app.domain.currencies import MINOR_DIGITS
from wallet_app.domain.errors.families import Invalid, member
from wallet_app.domain.errors.request_errors import InvalidRequest

if TYPE_CHECKING:
    from wallet_app.demo.demo import Demo

PAGE = Path(__file__).parent / "page"

NAME_LENGTH_MAX = 60
SECRET_LENGTH_MAX = 200
SINCE_LENGTH_MAX = 200


class TooManyPeople(Invalid):
    """There are as many people as the page shows."""

    code, title = "too_many_people", "Too many people"
    message = "There are {maximum} people, as many as the page shows."
    maximum: int = member(PEOPLE_MAX)


class PersonBody(CamelSchema):
    name = Text(1, NAME_LENGTH_MAX, required=True)


class Count(fields.Integer):
    """A whole number within bounds."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(strict=True, required=True, validate=Range(least, most))


class Switch(fields.Boolean):
    """True or false, and nothing that looks like one."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value


class StateQuery(CamelSchema):
    since = Text(0, SINCE_LENGTH_MAX, load_default="")
    after = QueryInteger(load_default=0)
    wallet_id = UuidText(load_default=None)


class StormBody(CamelSchema):
    clients = Count(1, CLIENTS_MAX)
    transfers = Count(TRANSFERS_MIN, TRANSFERS_MAX)
    locks = Switch(required=True)


class WatchBody(CamelSchema):
    wallet_id = UuidText(required=True)
    watched = Switch(required=True)


class InboxBody(CamelSchema):
    """What is not given stays as it is."""

    failing = Switch()
    secret = Text(1, SECRET_LENGTH_MAX)


def blueprint(demo: Demo) -> Blueprint:
    """Return the routes of a demo server."""
    routes = Blueprint("demo", __name__)
    read_person, read_inbox = BodyReader(PersonBody()), BodyReader(InboxBody())
    read_watch, read_storm = BodyReader(WatchBody()), BodyReader(StormBody())

    @routes.get("/")
    def page() -> Response:
        return _file("index.html")

    @routes.get("/page/<path:name>")
    def file(name: str) -> Response:
        return _file(name)

    @routes.get("/demo/state")
    def state() -> Response:
        query = read_query(StateQuery())
        return answer(state_of(demo, request.host, **query))

    @routes.post("/demo/people")
    def add_person() -> Response:
        person = demo.people.add(read_person()["name"])
        if person is None:
            raise TooManyPeople(PEOPLE_MAX)
        return answer(person, 201)

    @routes.post("/demo/reset")
    def reset() -> Response:
        demo.reset(current_app)
        return answer({"ledger": demo.ledger})

    @routes.get("/demo/currencies")
    def currencies() -> Response:
        exchanges: dict[str, list[str]] = {}
        for base, other, _ in demo.settings.fx_rates:
            exchanges.setdefault(base, []).append(other)
            exchanges.setdefault(other, []).append(base)
        return answer({"minorDigits": dict(MINOR_DIGITS), "exchanges": exchanges})

    @routes.put("/demo/fraud")
    def set_fraud() -> Response:
        demo.watch(**read_watch())
        return Response(status=204)

    @routes.put("/demo/inbox")
    def set_inbox() -> Response:
        body = read_inbox()
        if "secret" in body:
            try:
                demo.inbox.know(body["secret"])
            except ValueError:
                raise InvalidRequest("That is no secret of a webhook.") from None
        demo.inbox.is_failing = body.get("failing", demo.inbox.is_failing)
        return Response(status=204)

    @routes.post("/demo/inbox")
    def receive() -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        status = demo.inbox.receive(headers, request.get_data(), time.time_ns())
        if status == RequestEntityTooLarge.code:
            raise RequestEntityTooLarge
        return Response(status=status)

    @routes.post("/demo/storm")
    def start_storm() -> Response:
        return answer(demo.start_storm(address(), request.host, **read_storm()), 202)

    @routes.delete("/demo/storm")
    def stop_storm() -> Response:
        demo.storms.stop()
        return Response(status=204)

    return routes


def address() -> tuple[str, int]:
    """Return where this server is reached from its own machine."""
    name: str = request.environ["SERVER_NAME"]
    port = int(request.environ["SERVER_PORT"])
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name), port


def _file(name: str) -> Response:
    """Return a file of the page. A browser asks each time whether it has changed."""
    response = send_from_directory(PAGE, name, max_age=0)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-cache"
    return response
