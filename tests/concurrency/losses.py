"""Says how much money is lost, from balances and those that would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.concurrency.ledger import currency_of

Balances = Mapping[str, int]


def lost(has: Balances, possible: Iterable[Balances]) -> str:
    """Return what is wrong with the balances, beside the most similar of those that are
    possible; nothing if they are possible."""
    compared = [(_differing(has, should), should) for should in possible]
    names, should = min(
        compared, key=lambda each: (len(each[0]), _distance(has, each[1]), repr(each))
    )
    wallets = "; ".join(
        f"{name} should have {should.get(name, 0)} and has {has.get(name, 0)}"
        for name in names
    )
    if not names or len({currency_of(name) for name in names}) > 1:
        return wallets and f"{wallets}."
    change = sum(has.values()) - sum(should.values())
    overdrawn = -min(has.get(name, 0) for name in names)
    if overdrawn > 0:
        return f"{overdrawn} is spent that was not there: {wallets}."
    if change == 0:
        return f"Money is in the wrong wallet: {wallets}."
    what = f"{-change} is lost" if change < 0 else f"{change} is too much"
    return f"{what}: {wallets}."


def _differing(has: Balances, should: Balances) -> list[str]:
    names = sorted({*has, *should})
    return [name for name in names if has.get(name, 0) != should.get(name, 0)]


def _distance(has: Balances, should: Balances) -> int:
    return sum(abs(has.get(name, 0) - should.get(name, 0)) for name in {*has, *should})
