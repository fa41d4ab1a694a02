"""A background whose time is owned by the test."""

from __future__ import annotations

import pytest

from tests.ledgers import BoundedLock, Clock
from wallet_app.services.background import Background


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def background(clock: Clock) -> Background:
    return Background(clock, clock, BoundedLock)
