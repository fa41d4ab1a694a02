"""Three small classes that explorers of threads are compared on; each of two threads
makes one call."""

from __future__ import annotations

import threading


class Counter:
    """Loses an update."""

    def __init__(self) -> None:
        self.value = 0

    def one(self) -> None:
        self.value += 1

    other = one

    def holds(self) -> bool:
        return self.value == 2


class LockedCounter:
    def __init__(self) -> None:
        self.value = 0
        self.lock = threading.Lock()

    def one(self) -> None:
        with self.lock:
            self.value += 1

    other = one

    def holds(self) -> bool:
        return self.value == 2


class Transfers:
    """Two that cross, with sorted locks."""

    def __init__(self) -> None:
        self.asha = self.ravi = 100
        self.locks = threading.Lock(), threading.Lock()

    def one(self) -> None:
        with self.locks[0], self.locks[1]:
            self.asha -= 60
            self.ravi += 60

    def other(self) -> None:
        with self.locks[0], self.locks[1]:
            self.ravi -= 60
            self.asha += 60

    def holds(self) -> bool:
        return (self.asha, self.ravi) == (100, 100)


SUBJECTS = (Counter, LockedCounter, Transfers)
