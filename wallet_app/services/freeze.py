"""Freezing a wallet: until it is unfrozen, it neither sends nor receives."""

from __future__ import annotations

from msgspec.structs import replace

from wallet_app.domain.clock import Clock
from wallet_app.domain.errors.wallet_errors import WalletFrozen
from wallet_app.domain.transactions import WalletSnapshot
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.events import Event, EventType, Outbox
from wallet_app.services.movement import Movement
from wallet_app.store import Store


def not_frozen(movement: Movement) -> None:
    """Refuse what a frozen wallet would send or receive, except a refund."""
    if movement.refund_of is not None:
        return
    for wallet in (movement.source, movement.target):
        if wallet and wallet.policy.frozen_reason is not None:
            raise WalletFrozen(wallet.id)


class Freeze:
    """Freezes wallets and unfreezes them.

    It waits for the wallet's lock like any movement. So once it has answered, no
    movement that had begun before can still come.
    """

    def __init__(self, store: Store, clock: Clock, outbox: Outbox) -> None:
        self._wallets = store.wallets
        self._clock = clock
        self._outbox = outbox

    def freeze(
        self, wallet_id: str, reason: str, on_commit: OnCommits = ()
    ) -> WalletSnapshot:
        return self._set(wallet_id, reason, on_commit)

    def unfreeze(self, wallet_id: str, on_commit: OnCommits = ()) -> WalletSnapshot:
        return self._set(wallet_id, None, on_commit)

    def _set(
        self, wallet_id: str, reason: str | None, on_commit: OnCommits
    ) -> WalletSnapshot:
        """Freeze a wallet for a reason, or unfreeze it. A wallet that is so already
        stays as it is."""
        wallet = self._wallets[wallet_id]
        now = self._clock()
        with wallet:
            snapshot = wallet.snapshot()
            if (snapshot.frozen_reason is None) is (reason is None):
                commit(on_commit, snapshot)
                return snapshot
            now = max(now, wallet.updated_at)
            snapshot = replace(snapshot, frozen_reason=reason, updated_at=now)
            policy = replace(wallet.policy, frozen_reason=reason)
            type = (
                EventType.WALLET_UNFROZEN if reason is None else EventType.WALLET_FROZEN
            )
            commit(on_commit, snapshot, self._outbox.put, Event(type, now, snapshot))
            wallet.policy, wallet.updated_at = policy, now
        return snapshot
