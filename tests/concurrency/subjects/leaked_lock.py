"""A refused deduct returns without releasing the lock: the next call waits for ever."""

import threading


class Wallet:
    def __init__(self):
        self._balance = 0
        self._lock = threading.Lock()

    def add(self, amount):
        self._lock.acquire()
        self._balance += amount
        self._lock.release()

    def deduct(self, amount):
        self._lock.acquire()
        if self._balance < amount:
            raise ValueError("insufficient funds")
        self._balance -= amount
        self._lock.release()

    @property
    def balance(self):
        with self._lock:
            return self._balance
