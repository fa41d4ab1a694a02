"""Which part of the threaded server each bug replaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.judge.servers import faults, manners, races
from tests.judge.servers.dialects import DIALECTS
from tests.judge.servers.speaking import NamedWallets, Speaking
from tests.judge.servers.threaded import Handler, Server, Service, Wallets


@dataclass(frozen=True, slots=True)
class Parts:
    wallets: Callable[[], Wallets] = Wallets
    service: Callable[[Wallets], Service] = Service
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
    "database-is-locked": Parts(races.DatabaseIsLocked),
    "cached-reads": Parts(races.CachedReads),
    "key-run-twice": Parts(service=races.KeyRunTwice),
    "error-but-applied": Parts(service=races.ErrorButApplied),
    "entries-after-answer": Parts(faults.EntriesAfterAnswer),
    "swallowed-twin": Parts(faults.SwallowedTwin),
    "half-transfer": Parts(faults.HalfTransfer),
    "fee": Parts(faults.Fee),
    "int32": Parts(faults.Int32),
    "float": Parts(faults.FloatWallets, faults.FloatService),
    "string-concatenation": Parts(service=faults.StringConcatenation),
    "lock-leaked-on-bad-input": Parts(service=faults.LockLeakedOnBadInput),
    "dies-on-malformed-id": Parts(faults.DiesOnMalformedId),
    "two-memories": Parts(service=faults.TwoMemories),
    "slow": Parts(service=manners.Slow),
    "one-at-a-time": Parts(service=manners.OneAtATime),
    "one-connection": Parts(handler=manners.OneConnection),
    "connection-close": Parts(service=manners.ConnectionClose),
    "ok-with-failing-status": Parts(service=manners.OkWithFailingStatus),
    "accepted-later": Parts(service=manners.AcceptedLater),
    "rate-limit": Parts(service=manners.RateLimit),
    "early-answer": Parts(handler=manners.EarlyAnswer),
    "redirect": Parts(service=manners.Redirect),
    "hangs": Parts(handler=manners.Hangs),
    "dies-under-load": Parts(service=manners.DiesUnderLoad),
    "garbage": Parts(handler=manners.Garbage),
    "endless-body": Parts(handler=manners.EndlessBody),
    "huge-balance": Parts(service=manners.HugeBalance),
    "deeply-nested": Parts(service=manners.DeeplyNested),
    "escape-sequences": Parts(service=manners.EscapeSequences),
}

for name, dialect in DIALECTS.items():
    PARTS[name] = Parts(partial(NamedWallets, dialect.ids), partial(Speaking, dialect))
