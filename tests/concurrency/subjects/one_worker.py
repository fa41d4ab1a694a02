"""Right: one worker does everything, one after the other, from a queue."""

import queue
import threading


class Wallets:
    def __init__(self):
        self.balances = {}
        self.work = queue.Queue()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            change, name, amount, reply = self.work.get()
            reply.put(change(name, amount))

    def ask(self, change, name, amount=0):
        reply = queue.Queue()
        self.work.put((change, name, amount, reply))
        return reply.get()

    def create(self, name):
        self.balances.setdefault(name, 0)

    def add(self, name, amount):
        return self.ask(self._add, name, amount)

    def deduct(self, name, amount):
        return self.ask(self._add, name, -amount)

    def balance(self, name):
        return self.ask(self._add, name)

    def _add(self, name, amount):
        if self.balances[name] + amount < 0:
            return False
        self.balances[name] += amount
        return self.balances[name]
