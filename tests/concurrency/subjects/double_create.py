"""Whether a user has a wallet is asked outside the lock: the second of two creates
replaces the first, and the money in it."""

import threading


class Service:
    def __init__(self):
        self.wallets = {}
        self.lock = threading.RLock()

    def create(self, user):
        if user in self.wallets:
            raise ValueError("exists")
        with self.lock:
            self.wallets[user] = 0
        return user

    def add(self, user, amount):
        with self.lock:
            self.wallets[user] += amount

    def balance(self, user):
        with self.lock:
            return self.wallets[user]
