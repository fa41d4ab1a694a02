"""Long histories: calls are queued on threads, and run together at a barrier.

Each rule queues one call. The `barrier` rule runs what is queued under every schedule
with one preemption, after all that came before, and judges it there and then. Another
service makes the same calls one at a time, and its books are proved at each rest.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.concurrency.client import Client
from tests.concurrency.execution import Laboratory
from tests.concurrency.programs import LEDGERS, SETUP, Program, operations
from tests.concurrency.specification import Operation
from tests.concurrency.trace import assert_held
from tests.ledgers import new_service
from wallet_app.domain.transactions import TransactionType

pytestmark = pytest.mark.slow

THOROUGH = settings.get_current_profile_name() == "thorough"
THREADS = 3
QUEUED_MAX = 4
SIGNS = {TransactionType.CREDIT: 1, TransactionType.DEBIT: -1}


class Histories(RuleBasedStateMachine):
    """A ledger with a past, and what its threads are about to call."""

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.laboratory = self.resources.enter_context(Laboratory().open())
        self.service = new_service()
        self.client = Client(self.service)
        self.wallets: dict[str, int] = {}
        self.signals: list[Operation] = []
        self.queues: list[list[Operation]] = [[] for _ in range(THREADS)]

    @initialize(wallets=st.sampled_from(LEDGERS))
    def open_wallets(self, wallets: dict[str, int]) -> None:
        self.wallets = wallets
        for operation in Program(wallets).setup:
            self.client.ask(operation, SETUP)

    @precondition(lambda self: sum(map(len, self.queues)) < QUEUED_MAX)
    @rule(thread=st.integers(0, THREADS - 1), operation=operations)
    def call(self, thread: int, operation: Operation) -> None:
        self.queues[thread].append(operation)

    @precondition(lambda self: any(self.queues))
    @rule()
    def barrier(self) -> None:
        threads = [queue for queue in self.queues if queue]
        program = Program(self.wallets, *threads, before=self.signals)
        assert_held(self.laboratory.explore(program, 1))
        for operation in chain.from_iterable(threads):
            self.client.ask(operation, SETUP)
            self.signals.append(operation)
        self.queues = [[] for _ in range(THREADS)]

    @invariant()
    def the_books_are_right(self) -> None:
        report = self.service.audit()
        assert report.balanced, report.problems
        wallets = self.service.store.wallets.values()
        assert all(wallet.balance >= 0 for wallet in wallets)
        assert sum(wallet.balance for wallet in wallets) == sum(
            SIGNS.get(transaction.type, 0) * transaction.amount
            for wallet in wallets
            for transaction in wallet.history
        ), "money was made or lost"

    def teardown(self) -> None:
        self.resources.close()


# Explaining a failure takes three times as long as finding it, for state machines.
Histories.TestCase.settings = settings(
    max_examples=1_000 if THOROUGH else 60,
    stateful_step_count=50 if THOROUGH else 20,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
TestHistories = Histories.TestCase
