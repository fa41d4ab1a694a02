"""Bugs that only show when calls overlap: one after the other, all goes right."""

from __future__ import annotations

import time

from tests.judge.servers.exercise import (
    Entry,
    Refused,
    check_funds,
    check_room,
    new_id,
)
from tests.judge.servers.threaded import LockedWallet, Wallets

ROUND_TRIP_SECONDS = 0.0005
"""As if the balance were in a database. Without it, CPython would seldom switch threads
between the read and the write."""


def round_trip() -> None:
    time.sleep(ROUND_TRIP_SECONDS)


class ReadAddWrite(Wallets):
    """Two adds read one balance, and the second write undoes the first."""

    def add(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        check_room(wallet, amount)
        balance = wallet.balance
        round_trip()
        return self.record(wallet, "CREDIT", amount, balance + amount)


class CheckOutsideLock(Wallets):
    """Two deducts are checked against one balance, and both are made."""

    def deduct(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        check_funds(wallet, amount)
        round_trip()
        with wallet.lock:
            return self.record(wallet, "DEBIT", amount, wallet.balance - amount)


class TwoStepTransfer(Wallets):
    """Between the debit and the credit, the money is in neither wallet."""

    def transfer(self, from_id: str, to_id: str, amount: int) -> tuple[Entry, Entry]:
        source, target = self.find_two(from_id, to_id)
        check_room(target, amount)
        reference = new_id()
        with source.lock:
            check_funds(source, amount)
            sent = self.send(source, amount, reference)
        round_trip()
        with target.lock:
            return sent, self.receive(target, amount, reference)


class DebitThenCreditBack(Wallets):
    """A transfer takes the money before it checks the receiver, and gives it back."""

    def transfer(self, from_id: str, to_id: str, amount: int) -> tuple[Entry, Entry]:
        source = self.find(from_id)
        with source.lock:
            check_funds(source, amount)
            source.balance -= amount
        round_trip()
        with source.lock:
            source.balance += amount
        return super().transfer(from_id, to_id, amount)


class ArrivalOrderLocks(Wallets):
    """Two transfers that cross wait for each other, for ever."""

    def transfer(self, from_id: str, to_id: str, amount: int) -> tuple[Entry, Entry]:
        source, target = self.find_two(from_id, to_id)
        with source.lock:
            check_funds(source, amount)
            round_trip()
            with target.lock:
                check_room(target, amount)
                reference = new_id()
                sent = self.send(source, amount, reference)
                return sent, self.receive(target, amount, reference)


class NoLockOnReceiver(Wallets):
    """Two transfers to one wallet read one balance of it."""

    def transfer(self, from_id: str, to_id: str, amount: int) -> tuple[Entry, Entry]:
        source, target = self.find_two(from_id, to_id)
        with source.lock:
            check_funds(source, amount)
            check_room(target, amount)
            reference = new_id()
            sent = self.send(source, amount, reference)
            after = target.balance + amount
            round_trip()
            return sent, self.record(target, "TRANSFER_IN", amount, after, reference)


class LostEntries(Wallets):
    """The balance is right; of two entries that are written at once, one stays."""

    def add(self, wallet_id: str, amount: int) -> Entry:
        entries = self.history(wallet_id)
        entry = super().add(wallet_id, amount)
        round_trip()
        self.find(wallet_id).entries = [*entries, entry]
        return entry


class DuplicateCreate(Wallets):
    """Two creates look for the user's wallet before either has made it."""

    def create(self, user_id: str) -> LockedWallet:
        if user_id in self.by_user:
            raise Refused(409, "this user has a wallet")
        round_trip()
        return self.insert(user_id)


class RefusedButApplied(Wallets):
    """A conflict is found after the write, and answered with 409; the write stays."""

    def add(self, wallet_id: str, amount: int) -> Entry:
        version = len(self.find(wallet_id).entries)
        round_trip()
        entry = super().add(wallet_id, amount)
        if len(self.find(wallet_id).entries) != version + 1:
            raise Refused(409, "changed meanwhile")
        return entry
