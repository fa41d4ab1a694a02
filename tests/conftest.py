"""What the tests share: a ledger, a client of its API, and how Hypothesis runs.

`--hypothesis-profile=thorough` is for a long run: fresh programs and more of them.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Generator

import pytest
from _pytest.terminal import TerminalReporter
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings

from tests import markers
from tests.approving import Waiting
from tests.house import House
from tests.ledgers import new_service
from wallet_app import create_app
from wallet_app.api.current_service import bind
from wallet_app.api.incoming.idempotency_header import mark_replayed
from wallet_app.services.service import WalletService

# Hypothesis's own profile for CI draws the same examples each time, keeps no
# database of them, and prints how to see a failure again.
settings.register_profile("suite", settings.get_profile("ci"))
settings.register_profile(
    "thorough", settings.get_profile("suite"), derandomize=False, max_examples=5_000
)
settings.load_profile("suite")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of a thorough run here, so that it can be printed."""
    if config.option.hypothesis_profile == "thorough":
        config.option.hypothesis_seed = config.option.hypothesis_seed or str(
            random.randrange(2**32)
        )


def pytest_report_header(config: pytest.Config) -> str | None:
    seed = config.option.hypothesis_seed
    return None if seed is None else f"seed of Hypothesis: {seed}"


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """State what the enumerations of schedules have shown, where they ended."""
    shown = [
        (what, schedules)
        for report in terminalreporter.getreports("passed")
        for what, schedules in report.user_properties
    ]
    if shown:
        terminalreporter.section("no schedule loses money: enumerated to the end")
        for what, schedules in sorted(shown):
            terminalreporter.write_line(f"{what:46} {schedules}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let what a test starts ask for the test's marker."""
    markers.running = item
    try:
        return (yield)
    finally:
        markers.running = None


def pytest_collection_finish() -> None:
    """Keep what is imported by now out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def service() -> WalletService:
    return new_service()


@pytest.fixture(scope="session")
def app() -> Flask:
    """Return an app for all tests: to describe an API takes long."""
    return create_app(new_service())


@pytest.fixture
def client(app: Flask, service: WalletService) -> FlaskClient:
    bind(app, service)
    service.idempotency.on_replay = mark_replayed
    return app.test_client()


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def house() -> House:
    return House()
