"""Bugs that only show when calls overlap: one after the other, all goes right."""

from __future__ import annotations

import threading
import time

from tests.judge.servers.exercise import (
    Answer,
    Entry,
    Json,
    Refused,
    Request,
    check_funds,
    check_room,
    new_id,
)
from tests.judge.servers.threaded import Kept, LockedWallet, Service, Wallets

ROUND_TRIP_SECONDS = 0.0005
"""As if the balance were in a database. Without it, CPython would seldom switch threads
between the read and the write."""

REPLICA_LAG_SECONDS = 0.02


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


class DatabaseIsLocked(Wallets):
    """A transfer does not wait for its locks: it fails, and nothing moves."""

    def __init__(self) -> None:
        super().__init__()
        self.writing = threading.Lock()

    def transfer(self, from_id: str, to_id: str, amount: int) -> tuple[Entry, Entry]:
        if not self.writing.acquire(blocking=False):
            raise Refused(500, "database is locked")
        try:
            round_trip()
            return super().transfer(from_id, to_id, amount)
        finally:
            self.writing.release()


class CachedReads(Wallets):
    """Who did not write last reads from a replica that lags behind."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: dict[str, threading.Thread] = {}
        self.writes: dict[str, list[tuple[float, int]]] = {}

    def record(
        self,
        wallet: LockedWallet,
        type: str,
        amount: int,
        balance: int,
        reference: str | None = None,
    ) -> Entry:
        self.writers[wallet.id] = threading.current_thread()
        self.writes.setdefault(wallet.id, []).append((time.monotonic(), balance))
        return super().record(wallet, type, amount, balance, reference)

    def get(self, wallet_id: str) -> Json:
        if self.writers.get(wallet_id) is threading.current_thread():
            return super().get(wallet_id)
        until = time.monotonic() - REPLICA_LAG_SECONDS
        seen = [made for at, made in self.writes.get(wallet_id, []) if at < until]
        return {**super().get(wallet_id), "balance": seen[-1] if seen else 0}


class KeyRunTwice(Service):
    """Two requests with one key look for it before either has kept its answer."""

    def once(self, key: str, request: Request) -> Answer:
        kept = self.kept.get(key)
        if kept is not None and kept.answer is not None:
            return kept.answer
        round_trip()
        answer = self.route(request)
        self.kept[key] = Kept(request, answer)
        return answer


class ErrorButApplied(Service):
    """The receipt is sent after the commit, and only one at a time."""

    def __init__(self, wallets: Wallets) -> None:
        super().__init__(wallets)
        self.mail = threading.Lock()

    def route(self, request: Request) -> Answer:
        answer = super().route(request)
        if request.method == "POST":
            if not self.mail.acquire(blocking=False):
                raise Refused(500, "the receipt could not be sent")
            round_trip()
            self.mail.release()
        return answer
