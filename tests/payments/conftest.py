"""Services with payments, and their clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.ledgers import Ids, nothing_logged
from tests.payments.paying import Crowded, Paying
from wallet_app import create_app
from wallet_app.services.payments import payment_table
from wallet_app.settings import Settings


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Crowded:
    """Make a service that carries out so few payments at a time."""

    def paying(under_way_max: int) -> Paying:
        monkeypatch.setattr(payment_table, "UNDER_WAY_MAX", under_way_max)
        return Paying(Settings(payment_retry_base_seconds=1), new_id=Ids())

    return paying


@pytest.fixture
def paying() -> Paying:
    return Paying()


@pytest.fixture
def http(paying: Paying) -> FlaskClient:
    return create_app(paying.service).test_client()


@pytest.fixture
def quiet() -> Iterator[None]:
    with nothing_logged():
        yield
