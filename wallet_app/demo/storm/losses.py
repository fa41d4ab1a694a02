"""What was lost, by arithmetic on what the clients were answered and on histories. It
knows no service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from wallet_app.demo.storm.report import (
    Losses,
    LostUpdate,
    StormWallet,
    Update,
    WrongBalance,
)
from wallet_app.services.json_forms import Json

Histories = Mapping[str, Sequence[Json]]
"""The transactions of each wallet, oldest first, as the API has them."""


def losses(
    wallets: Sequence[StormWallet],
    *,
    changes: Mapping[str, int],
    balances: Mapping[str, int],
    histories: Histories,
) -> Losses:
    """Compare what the wallets had at first, and what the answers say that was moved,
    with what they have."""
    names = {wallet.id: wallet.name for wallet in wallets}
    wrong, found = [], []
    for wallet in wallets:
        balance, history = balances[wallet.id], histories[wallet.id]
        expected = wallet.balance + changes.get(wallet.id, 0)
        if balance != expected:
            wrong.append(WrongBalance(wallet.name, expected, balance))
        found += lost_updates(wallet, history, names)
    return Losses(
        wrong=wrong,
        transactions=sum(map(len, histories.values())),
        breaks=sum(map(breaks, histories.values())),
        example=max(found, key=_is_plain, default=None),
    )


def change_of(transaction: Json) -> int:
    """Return by how much a transaction says that it changed its wallet's balance."""
    comes_in = transaction["type"] in ("CREDIT", "TRANSFER_IN")
    amount: int = transaction["amount"]
    return amount if comes_in else -amount


def start_of(transaction: Json) -> int:
    """Return the balance that a transaction began from."""
    balance_after: int = transaction["balanceAfter"]
    return balance_after - change_of(transaction)


def breaks(history: Sequence[Json]) -> int:
    """Return how many transactions do not begin where the one before them ended."""
    return sum(
        start_of(later) != earlier["balanceAfter"]
        for earlier, later in pairwise(history)
    )


def lost_updates(
    wallet: StormWallet, history: Sequence[Json], names: Mapping[str, str]
) -> list[LostUpdate]:
    """Return the pairs of neighbours that began from the same balance, if the one after
    them shows which of the two was written last."""
    found = []
    for pair, later in zip(pairwise(history), history[2:]):
        lost, kept = pair
        if start_of(lost) != start_of(kept):
            continue
        if start_of(later) == lost["balanceAfter"]:
            lost, kept = kept, lost
        if start_of(later) == kept["balanceAfter"]:
            found.append(
                LostUpdate(
                    name=wallet.name,
                    read=start_of(lost),
                    lost=_update(lost, names),
                    kept=_update(kept, names),
                )
            )
    return found


def _update(transaction: Json, names: Mapping[str, str]) -> Update:
    other = transaction["counterparty"] or {}
    return Update(
        change=change_of(transaction),
        with_name=names.get(other.get("walletId", ""), "another wallet"),
        balance_after=transaction["balanceAfter"],
    )


def _is_plain(found: LostUpdate) -> tuple[bool, int]:
    """Prefer an example in which money that came in was lost, and much of it."""
    return found.lost.change > 0 and found.kept.change < 0, abs(found.lost.change)
