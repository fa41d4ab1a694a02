"""Which part of the threaded server each bug replaces."""

from __future__ import annotations

from dataclasses import dataclass

from tests.judge.servers import races
from tests.judge.servers.threaded import Handler, Server, Service, Wallets


@dataclass(frozen=True, slots=True)
class Parts:
    wallets: type[Wallets] = Wallets
    service: type[Service] = Service
    handler: type[Handler] = Handler

    def listening(self, port: int = 0) -> Server:
        """Return a server that has an address and does not answer yet."""
        return Server(port, self.service(self.wallets()), self.handler)


PARTS = {
    "right": Parts(),
    "read-add-write": Parts(races.ReadAddWrite),
    "check-outside-lock": Parts(races.CheckOutsideLock),
    "two-step-transfer": Parts(races.TwoStepTransfer),
    "debit-then-credit-back": Parts(races.DebitThenCreditBack),
    "arrival-order-locks": Parts(races.ArrivalOrderLocks),
    "no-lock-on-receiver": Parts(races.NoLockOnReceiver),
    "lost-entries": Parts(races.LostEntries),
    "duplicate-create": Parts(races.DuplicateCreate),
    "refused-but-applied": Parts(races.RefusedButApplied),
}
