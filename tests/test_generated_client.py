"""A client that is generated from the API description uses a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.server import TIMEOUT_SECONDS, Server, ask, running

pytestmark = [pytest.mark.server, pytest.mark.slow]

PACKAGE = "wallet_client"


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


class Client:
    """The generated package: its models by their names, its functions by theirs."""

    def __init__(self, session: Any) -> None:
        self.models = import_module(f"{PACKAGE}.models")
        self._session = session

    def call(self, name: str, *path: UUID, **arguments: Any) -> Any:
        """Call the function of an operation; return what it makes of the answer."""
        function = import_module(f"{PACKAGE}.api.{name}")
        return function.sync(*path, client=self._session, **arguments)


@pytest.fixture
def client(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    """Generate a client from the server's description, without a warning."""
    description, config = tmp_path / "openapi.json", tmp_path / "config.json"
    description.write_bytes(ask("GET", f"{server.url}/openapi.json").data)
    config.write_text(json.dumps({"post_hooks": []}))
    command = (
        *(sys.executable, "-m", "openapi_python_client", "generate"),
        *("--path", str(description), "--config", str(config)),
        *("--output-path", str(tmp_path / PACKAGE), "--meta", "none"),
        "--fail-on-warning",
    )
    made = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=3 * TIMEOUT_SECONDS,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(tmp_path)
    package = import_module(PACKAGE)
    with package.Client(server.url, raise_on_unexpected_status=True) as session:
        yield Client(session)
    for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_a_generated_client_moves_money_and_reads_history(client: Client) -> None:
    models, call = client.models, client.call
    asha, ravi = [
        call("wallets.create_wallet", body=models.CreateBody(user_id=uuid4()))
        for _ in range(2)
    ]
    assert isinstance(asha, models.Wallet) and isinstance(asha.id, UUID)
    assert (asha.balance, asha.status) == (0, models.WalletStatus.ACTIVE)

    amount = models.AmountBody(wallet_id=asha.id, amount=500, category="salary")
    added, replayed = [
        call("money.add_money", body=amount, idempotency_key="once") for _ in range(2)
    ]
    assert isinstance(added, models.Movement) and replayed == added

    body = models.TransferBody(from_wallet_id=asha.id, to_wallet_id=ravi.id, amount=200)
    sent = call("money.transfer_money", body=body)
    assert isinstance(sent, models.Transfer)
    assert (sent.from_.wallet.balance, sent.to.wallet.balance) == (300, 200)

    operations = [
        models.AddOperation(type_="ADD", wallet_id=ravi.id, amount=50),
        models.TransferOperation(
            type_="TRANSFER", from_wallet_id=ravi.id, to_wallet_id=asha.id, amount=250
        ),
    ]
    batch = call("money.run_batch", body=models.BatchBody(operations))
    assert [type(each) for each in batch.results] == [models.Movement, models.Transfer]

    history = call("history.list_transactions", asha.id, limit=2)
    assert isinstance(history, models.History) and history.total == 3
    latest, before = history.transactions
    assert (latest.amount, latest.balance_after) == (250, 550)
    assert latest.type_ is models.TransactionType.TRANSFER_IN
    assert isinstance(latest.counterparty, models.WalletCounterparty)
    assert latest.counterparty.wallet_id == ravi.id
    rest = call("history.list_transactions", asha.id, before=before.id)
    assert [each.category for each in rest.transactions] == ["salary"]

    refused = call(
        "money.deduct_money", body=models.AmountBody(wallet_id=ravi.id, amount=1)
    )
    assert isinstance(refused, models.InsufficientFunds)
    assert (refused.balance, refused.amount) == (0, 1)


def test_every_class_of_a_generated_client_has_a_name(client: Client) -> None:
    assert len(client.models.__all__) > 100
    numbered = [each for each in client.models.__all__ if set(each) & set("0123456789")]
    assert numbered == []
