"""The balance is checked before the lock is taken: two deducts spend the same money."""

import threading
from dataclasses import dataclass, field


@dataclass
class Account:
    owner: str
    balance: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Bank:
    def __init__(self):
        self.accounts = {}

    def open_account(self, owner):
        self.accounts[owner] = Account(owner)

    def deposit(self, owner, amount):
        account = self.accounts[owner]
        with account.lock:
            account.balance += amount

    def withdraw(self, owner, amount):
        account = self.accounts[owner]
        if account.balance < amount:
            return False
        with account.lock:
            account.balance -= amount
        return True

    def get_balance(self, owner):
        return self.accounts[owner].balance
