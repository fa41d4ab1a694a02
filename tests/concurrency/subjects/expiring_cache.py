"""Whether a value is there is asked before the lock is taken: it may expire
meanwhile."""

import threading


class ExpiringCache:
    def __init__(self, seconds):
        self.seconds = seconds
        self.now = 0
        self.values = {}
        self.lock = threading.Lock()

    def put(self, key, value):
        with self.lock:
            self.values[key] = value, self.now + self.seconds

    def get(self, key):
        if key not in self.values:
            return None
        with self.lock:
            return self.values[key][0]

    def pass_time(self, seconds):
        with self.lock:
            self.now += seconds
            expired = [key for key, (_, end) in self.values.items() if end <= self.now]
            for key in expired:
                del self.values[key]
