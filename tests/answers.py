"""Asks the API in process, and reads its answers."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

NOBODY = "00000000-0000-4000-8000-000000000000"
"""The id of no wallet."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def post(client: FlaskClient, path: str, body: object, **headers: str) -> TestResponse:
    return client.post(path, json=body, headers=headers)


def assert_problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Assert that the response is this problem, whole and of the right type."""
    assert response.content_type == "application/problem+json"
    problem: dict[str, Any] = response.get_json(force=True)
    assert (response.status_code, problem["status"]) == (status, status)
    assert problem["code"] == code, problem
    for member in ("type", "title", "detail"):
        assert isinstance(problem[member], str) and problem[member]
    assert "Traceback" not in response.text and ".py" not in response.text
    return problem
