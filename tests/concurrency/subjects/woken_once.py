"""A deduct waits until there is enough money, and looks once: two of them are woken by
one add, and both take it."""

import threading


class Wallet:
    def __init__(self):
        self.balance = 0
        self.changed = threading.Condition()

    def add(self, amount):
        with self.changed:
            self.balance += amount
            self.changed.notify_all()

    def deduct(self, amount):
        with self.changed:
            if self.balance < amount:
                if not self.changed.wait(timeout=1):
                    raise TimeoutError("insufficient funds")
            self.balance -= amount
