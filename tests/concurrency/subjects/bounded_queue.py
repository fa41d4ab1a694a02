"""Who waited looks only once whether there is something to take: another thread that
comes in between takes it."""

import threading


class BoundedQueue:
    def __init__(self, size):
        self.size = size
        self.items = []
        self.changed = threading.Condition()

    def put(self, item):
        with self.changed:
            while len(self.items) == self.size:
                self.changed.wait()
            self.items.append(item)
            self.changed.notify_all()

    def take(self):
        with self.changed:
            if not self.items:
                self.changed.wait()
            self.changed.notify_all()
            return self.items.pop(0)
