"""A scheduler for each test of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.concurrency.letters import (
    HANG_SECONDS,
)
from tests.concurrency.scheduler import (
    Scheduler,
)


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler()
    yield scheduler
    scheduler.close()


@pytest.fixture
def impatient() -> Iterator[Scheduler]:
    scheduler = Scheduler(hang_seconds=HANG_SECONDS)
    yield scheduler
    scheduler.close()
