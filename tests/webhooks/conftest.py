"""A service with a webhook."""

from __future__ import annotations

import pytest

from tests.webhooks.listening import Listening


@pytest.fixture
def listening() -> Listening:
    return Listening()
