"""A success says in its body that a call failed, or it does not."""

from __future__ import annotations

import pytest

from tests.judge.wire.adapter import Adapter
from tests.judge.wire.answers import is_failing
from tests.judge.wire.client import Answer

FAILING = (
    '{"status": "FAILED"}',
    '{"status": "fail", "data": {"amount": "too small"}}',
    '{"success": false}',
    '{"ok": false, "error": "insufficient"}',
    '{"data": {"ok": false}}',
    '{"error": "insufficient"}',
    '{"errors": [{"message": "insufficient"}]}',
    '{"code": 400, "msg": "insufficient", "data": null}',
    '{"statusCode": 422}',
)
SUCCEEDING = (
    '{"status": "FROZEN"}',
    '{"status": "PENDING"}',
    '{"status": "success", "error": null, "errors": []}',
    '{"ok": true, "error": ""}',
    '{"error": false}',
    '{"code": 0, "data": {"balance": 400}}',
    '{"code": 200}',
    '{"code": true}',
    '{"transaction": {"error": "none", "code": 450}}',
    "[]",
    "400",
    "no JSON",
)


@pytest.mark.parametrize("body", FAILING)
def test_a_success_that_says_it_failed_is_a_refusal(body: str) -> None:
    assert is_failing(Answer(200, (), body.encode()), Adapter())


@pytest.mark.parametrize("body", SUCCEEDING)
def test_any_other_success_is_one(body: str) -> None:
    assert not is_failing(Answer(200, (), body.encode()), Adapter())
