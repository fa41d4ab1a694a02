"""Right: one lock for everything, re-entrant because a transfer calls the others."""

import threading


class Wallets:
    def __init__(self):
        self._lock = threading.RLock()
        self._balances = {}
        self._history = {}

    def create(self, name):
        with self._lock:
            if name in self._balances:
                raise ValueError("exists")
            self._balances[name] = 0
            self._history[name] = []

    def add(self, name, amount):
        with self._lock:
            self._balances[name] += amount
            self._history[name].append(amount)

    def deduct(self, name, amount):
        with self._lock:
            if self._balances[name] < amount:
                raise ValueError("insufficient funds")
            self._balances[name] -= amount
            self._history[name].append(-amount)

    def transfer(self, source, target, amount):
        with self._lock:
            if target not in self._balances:
                raise KeyError(target)
            self.deduct(source, amount)
            self.add(target, amount)

    def balance(self, name):
        with self._lock:
            return self._balances[name]

    def history(self, name):
        with self._lock:
            return list(self._history[name])
