"""What an object holds on to, and what only a collection would free."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType

from msgspec import Struct

from wallet_app.services.service import WalletService


def reachable(root: object) -> Iterator[object]:
    """Yield all that an object holds on to, except the code of the program."""
    seen: set[int] = set()
    left = [root]
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, (ModuleType, type, FunctionType)):
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, Struct):  # which the collector may not look into
            left += [getattr(each, name) for name in each.__struct_fields__]
        left += gc.get_referents(each)


def is_remembered(text: str, service: WalletService) -> bool:
    """Return whether the webhooks hold on to a text."""
    return any(
        text.encode() in each if isinstance(each, bytes) else text in each
        for each in reachable((service.webhooks, service.background.queues))
        if isinstance(each, (str, bytes))
    )


@contextmanager
def needing_no_collection() -> Iterator[None]:
    """Assert that the block leaves nothing that only a collection would free."""
    gc.collect()
    gc.disable()
    try:
        yield
        assert gc.collect() == 0
    finally:
        gc.enable()
