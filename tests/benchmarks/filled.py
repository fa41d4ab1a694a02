"""Ledgers to measure on: wallets that can pay, and histories of any length."""

from __future__ import annotations

import json
import random

from wallet_app.services.service import WalletService

WALLETS = 100
BALANCE = 10**12
"""Minor units in each wallet: enough for every transfer that a slice can make."""


def new_wallets(service: WalletService, count: int = WALLETS) -> list[str]:
    """Open wallets that can pay and return their ids."""
    ids = [service.create_wallet(f"user {n}").id for n in range(count)]
    for wallet_id in ids:
        service.add(wallet_id, BALANCE)
    return ids


def random_pairs(ids: list[str], count: int) -> list[tuple[str, str]]:
    """Draw pairs of different wallets, the same ones for the same ids."""
    chance = random.Random(count)
    pairs = (chance.sample(ids, 2) for _ in range(count))
    return [(source, target) for source, target in pairs]


def fill(service: WalletService, ids: list[str], transactions: int) -> None:
    """Make transfers until there are this many transactions more.

    Each is read from JSON as a request is, so that no two share an amount or a
    category in memory. Descriptions are left out.
    """
    pairs = random_pairs(ids, 1000)
    chance = random.Random(transactions)
    for n in range(transactions // 2):
        source, target = pairs[n % len(pairs)]
        body = f'{{"amount": {chance.randint(1000, 99_999)}, "category": "food"}}'
        service.transfer(source, target, **json.loads(body))
