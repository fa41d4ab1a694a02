"""No lock at all: two adds read the same balance, and one is lost."""

import uuid


class WalletService:
    def __init__(self):
        self.wallets = {}
        self.transactions = []

    def create_wallet(self, user_id):
        wallet_id = str(uuid.uuid4())
        self.wallets[wallet_id] = {"id": wallet_id, "user": user_id, "balance": 0}
        return self.wallets[wallet_id]

    def add(self, wallet_id, amount):
        wallet = self.wallets[wallet_id]
        wallet["balance"] += amount
        self.transactions.append({"wallet": wallet_id, "amount": amount})

    def deduct(self, wallet_id, amount):
        wallet = self.wallets[wallet_id]
        if wallet["balance"] < amount:
            raise ValueError("insufficient funds")
        wallet["balance"] -= amount
        self.transactions.append({"wallet": wallet_id, "amount": -amount})

    def balance(self, wallet_id):
        return self.wallets[wallet_id]["balance"]

    def history(self, wallet_id):
        return [each for each in self.transactions if each["wallet"] == wallet_id]
