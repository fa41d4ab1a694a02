"""What the tests share: a ledger, and a client of its API."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.ledgers import new_service
from wallet_app import create_app
from wallet_app.services import WalletService


@pytest.fixture
def service() -> WalletService:
    return new_service()


@pytest.fixture
def client(service: WalletService) -> FlaskClient:
    return create_app(service).test_client()
