"""The service is complete without HTTP, and a view calls one use case of it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from tests.ledgers import Receivers, balances, made, new_service, open_wallet
from tests.server import PROJECT
from wallet_app.domain.spending import Limits
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import EventType
from wallet_app.services.service import WalletService

VIEWS = sorted((PROJECT / "wallet_app/api/views").glob("*_views.py"))


def test_a_transfer_with_one_key_moves_once(service: WalletService) -> None:
    source, target = open_wallet(service, 100), open_wallet(service)
    first = made(service.transfer(source, target, 30, key="k"))
    assert made(service.transfer(source, target, 30, key="k")) == first
    assert balances(service, source, target) == [70, 30]


def test_a_transfer_above_the_threshold_returns_an_approval(
    service: WalletService,
) -> None:
    source, target = open_wallet(service, 100), open_wallet(service)
    service.set_limits(source, Limits(approval_threshold=20))
    approval = service.transfer(source, target, 30)
    assert isinstance(approval, ApprovalSnapshot)
    assert (approval.amount, approval.status) == (30, "PENDING")
    assert balances(service, source, target) == [100, 0]


def test_a_registered_webhook_is_notified_of_a_transfer() -> None:
    receivers = Receivers()
    service = new_service(transport=receivers)
    source, target = open_wallet(service, 100), open_wallet(service)
    url = "https://93.184.215.14/hook"
    service.create_webhook(url, [EventType.TRANSACTION_CREATED])
    service.transfer(source, target, 30)
    service.background.run_due()
    assert [url for url, _, _ in receivers.posts] == [url, url]


def calls_of_the_service(view: ast.FunctionDef) -> list[str]:
    """Return what a view calls on `service()`."""
    return [
        call.attr
        for call in ast.walk(view)
        if isinstance(call, ast.Attribute)
        and isinstance(call.value, ast.Call)
        and ast.unparse(call.value) == "service()"
    ]


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: path.stem)
def test_a_view_calls_one_method_of_the_service(path: Path) -> None:
    views = [
        each
        for each in ast.parse(path.read_text()).body
        if isinstance(each, ast.FunctionDef) and each.decorator_list
    ]
    assert views
    for view in views:
        (called,) = calls_of_the_service(view)
        assert inspect.isfunction(getattr(WalletService, called)), called
