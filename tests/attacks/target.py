"""What is attacked: an address on this machine, and the process behind it."""

from __future__ import annotations

import ipaddress
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

LISTENS = "0A"
"""The state of a listening socket in /proc/net/tcp."""

SETTLE_SECONDS = 12.0
"""How long a server has to get back to what it held before an attack."""

SLACK = 8
"""Descriptors and threads that come and go with other clients of the server."""


class NotJudged(Exception):
    """An attack could not be made here, so nothing is known about it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A loopback address."""

    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Target:
        """Read `http://127.0.0.1:8000`; raise ValueError for any other machine's."""
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
        if parts.scheme != "http" or host is None or parts.port is None:
            raise ValueError("an address is http://127.0.0.1:PORT")
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError("only a server on this machine is attacked")
        return cls(host, parts.port)

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"

    def processes(self) -> list[int]:
        """Return the ids of the processes that hold the listening socket, children
        last; none where /proc does not show them."""
        inodes = {
            fields[9]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            if Path(table).exists()
            for fields in map(str.split, Path(table).read_text().splitlines()[1:])
            if fields[3] == LISTENS and int(fields[1].split(":")[1], 16) == self.port
        }
        names = {f"socket:[{inode}]" for inode in inodes}
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if any(str(fd.readlink()) in names for fd in process.glob("fd/*")):
                    found.append(int(process.name))
            except OSError:  # ended meanwhile, or another user's
                continue
        return sorted(found, key=lambda pid: (parent_of(pid) in found, pid))

    def worker(self) -> int | None:
        """Return the id of the process that serves, where it can be known."""
        processes = self.processes()
        return processes[-1] if processes else None


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
    assert match
    return int(match.group(1))


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a process holds."""

    descriptors: int
    threads: int
    rss_mib: float

    @classmethod
    def of(cls, pid: int) -> Vitals:
        """Read them from /proc; raise OSError if the process has ended."""
        status = Path(f"/proc/{pid}/status").read_text()
        values = dict(re.findall(r"^(\w+):\s+(\d+)", status, re.MULTILINE))
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(descriptors, int(values["Threads"]), int(values["VmRSS"]) / 1024)

    def is_back(self, before: Vitals, margin_mib: float) -> bool:
        """Return whether nothing of an attack is left."""
        return (
            self.descriptors <= before.descriptors + SLACK
            and self.threads <= before.threads + SLACK
            and self.rss_mib <= before.rss_mib + margin_mib
        )


def settled(pid: int, before: Vitals, margin_mib: float) -> Vitals:
    """Wait until a process is back to what it was, and return what it holds then."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not (now := Vitals.of(pid)).is_back(before, margin_mib):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return now
