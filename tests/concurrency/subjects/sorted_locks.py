"""Right: a lock for each wallet, taken in the order of their names."""

import threading
from dataclasses import dataclass, field


@dataclass
class Wallet:
    name: str
    balance: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Service:
    def __init__(self):
        self.wallets = {}

    def create(self, name):
        self.wallets[name] = Wallet(name)

    def add(self, name, amount):
        wallet = self.wallets[name]
        with wallet.lock:
            wallet.balance += amount

    def deduct(self, name, amount):
        wallet = self.wallets[name]
        with wallet.lock:
            if wallet.balance < amount:
                raise ValueError("insufficient funds")
            wallet.balance -= amount

    def transfer(self, source, target, amount):
        payer, payee = self.wallets[source], self.wallets[target]
        first, second = sorted((payer, payee), key=lambda wallet: wallet.name)
        with first.lock, second.lock:
            if payer.balance < amount:
                raise ValueError("insufficient funds")
            payer.balance -= amount
            payee.balance += amount

    def balance(self, name):
        wallet = self.wallets[name]
        with wallet.lock:
            return wallet.balance
