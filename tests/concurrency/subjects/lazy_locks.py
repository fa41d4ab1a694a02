"""The lock of a wallet is made when it is first needed: two threads make one each."""

import threading


class Wallets:
    def __init__(self):
        self.balances = {}
        self.locks = {}

    def create(self, name):
        self.balances[name] = 100

    def lock_of(self, name):
        if name not in self.locks:
            self.locks[name] = threading.Lock()
        return self.locks[name]

    def add(self, name, amount):
        with self.lock_of(name):
            self.balances[name] += amount

    def deduct(self, name, amount):
        with self.lock_of(name):
            if self.balances[name] < amount:
                raise ValueError("insufficient funds")
            self.balances[name] -= amount

    def balance(self, name):
        return self.balances[name]
