"""With whom a transaction was made."""

from __future__ import annotations

import json

from flask.testing import FlaskClient

from tests.answers import post
from tests.house import House
from tests.ledgers import Receivers, made, new_service, open_wallet
from wallet_app.domain.transactions import Transaction
from wallet_app.services import json_forms
from wallet_app.services.events import EventType
from wallet_app.services.json_forms import json_bytes
from wallet_app.services.service import WalletService

URL = "https://93.184.215.14/hook"


def counterparty(transaction: Transaction) -> object:
    written = json.loads(json_bytes(json_forms.Transaction.of(transaction)))
    return written["counterparty"]


def user_of(service: WalletService, wallet_id: str) -> str:
    return service.get_wallet(wallet_id).user_id


def test_a_plain_add_or_deduct_has_no_counterparty(service: WalletService) -> None:
    wallet_id = open_wallet(service)
    assert counterparty(service.add(wallet_id, 500)) is None
    assert counterparty(made(service.deduct(wallet_id, 200))) is None


def test_each_side_of_a_transfer_names_the_other(service: WalletService) -> None:
    asha, ravi = open_wallet(service, 500), open_wallet(service)
    sent, received = made(service.transfer(asha, ravi, 200))
    assert [counterparty(sent), counterparty(received)] == [
        {"kind": "wallet", "walletId": ravi, "userId": user_of(service, ravi)},
        {"kind": "wallet", "walletId": asha, "userId": user_of(service, asha)},
    ]


def test_an_exchange_names_the_users_and_never_the_house(house: House) -> None:
    service = house.service
    sent, received = house.exchange(house.quote())
    house_received, house_sent = (
        service.get_history(wallet.id).rows[0] for wallet in service.list_liquidity()
    )
    source, target = (
        {"kind": "exchange", "walletId": each, "userId": user_of(service, each)}
        for each in (house.source, house.target)
    )
    assert counterparty(sent) == counterparty(house_sent) == target
    assert counterparty(received) == counterparty(house_received) == source


def test_a_withdrawal_and_its_refund_name_the_payment_and_the_account(
    service: WalletService,
) -> None:
    wallet_id = open_wallet(service, 500)
    payment = made(service.withdraw(wallet_id, 200, "sandbox-declines"))
    service.background.run_due()
    refund, debit, _ = service.get_history(wallet_id).rows
    bank = {
        "kind": "bank",
        "paymentId": payment.id,
        "bankAccount": "sandbox-declines",
    }
    assert counterparty(refund) == counterparty(debit) == bank
    assert str(debit.reference_id) == payment.id


def test_a_deposit_names_the_payment_and_the_account(service: WalletService) -> None:
    wallet_id = open_wallet(service)
    payment = service.deposit(wallet_id, 200, "sandbox-ok")
    service.background.run_due()
    (credit,) = service.get_history(wallet_id).rows
    assert counterparty(credit) == {
        "kind": "bank",
        "paymentId": payment.id,
        "bankAccount": "sandbox-ok",
    }


def test_answers_name_the_counterparty(
    client: FlaskClient, service: WalletService
) -> None:
    asha, ravi = open_wallet(service, 500), open_wallet(service)
    body = {"fromWalletId": asha, "toWalletId": ravi, "amount": 200}
    transfer = post(client, "/wallet/transfer", body).get_json()
    sent, received = (transfer[side]["transaction"] for side in ("from", "to"))
    assert sent["counterparty"]["walletId"] == ravi
    assert received["counterparty"]["walletId"] == asha
    page = client.get(f"/wallet/{asha}/transactions").get_json()
    assert page["transactions"][0] == sent


def test_webhooks_name_the_counterparty() -> None:
    receivers = Receivers()
    service = new_service(transport=receivers)
    asha, ravi = open_wallet(service, 500), open_wallet(service)
    service.create_webhook(URL, [EventType.TRANSACTION_CREATED])
    service.transfer(asha, ravi, 200)
    service.background.run_due()
    sent, received = (json.loads(body)["data"] for _, _, body in receivers.posts)
    assert sent["counterparty"]["walletId"] == ravi
    assert received["counterparty"]["walletId"] == asha
