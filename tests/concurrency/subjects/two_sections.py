"""A transfer is a deduct and an add, each under its lock: in between, a reader of
both wallets finds that money is missing."""

import threading
from collections import defaultdict


class Ledger:
    def __init__(self):
        self.balances = {}
        self.locks = defaultdict(threading.Lock)

    def create(self, name):
        self.balances[name] = 0

    def add(self, name, amount):
        if name not in self.balances:
            raise KeyError(name)
        with self.locks[name]:
            self.balances[name] += amount

    def deduct(self, name, amount):
        with self.locks[name]:
            if self.balances[name] < amount:
                raise ValueError("insufficient funds")
            self.balances[name] -= amount

    def transfer(self, source, target, amount):
        if target not in self.balances:
            raise KeyError(target)
        self.deduct(source, amount)
        self.add(target, amount)

    def balance(self, name):
        with self.locks[name]:
            return self.balances[name]
