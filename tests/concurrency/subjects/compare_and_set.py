"""Lock-free: compare and set, but the comparison and the store are two statements."""


class Wallet:
    def __init__(self):
        self.balance = 0

    def compare_and_set(self, expected, new):
        if self.balance == expected:
            self.balance = new
            return True
        return False

    def add(self, amount):
        while True:
            seen = self.balance
            if self.compare_and_set(seen, seen + amount):
                return

    def deduct(self, amount):
        while True:
            seen = self.balance
            if seen < amount:
                raise ValueError("insufficient funds")
            if self.compare_and_set(seen, seen - amount):
                return
