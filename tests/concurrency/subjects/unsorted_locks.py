"""A lock for each wallet, taken in the order of the transfer: two that cross wait for
each other for ever."""

import threading


class Wallet:
    def __init__(self, owner):
        self.owner = owner
        self.balance = 0
        self.lock = threading.Lock()


class WalletService:
    def __init__(self):
        self._wallets = {}

    def create(self, owner):
        self._wallets[owner] = Wallet(owner)

    def add(self, owner, amount):
        wallet = self._wallets[owner]
        with wallet.lock:
            wallet.balance += amount

    def transfer(self, source, target, amount):
        payer, payee = self._wallets[source], self._wallets[target]
        with payer.lock:
            with payee.lock:
                if payer.balance < amount:
                    raise ValueError("insufficient funds")
                payer.balance -= amount
                payee.balance += amount

    def balance(self, owner):
        wallet = self._wallets[owner]
        with wallet.lock:
            return wallet.balance
