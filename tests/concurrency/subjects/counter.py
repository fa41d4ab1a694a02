"""Two threads that add read the same number, and one of them is overwritten."""


class Counter:
    def __init__(self):
        self.value = 0

    def add(self, number):
        self.value += number

    def read(self):
        return self.value
