"""Every refusal that the service knows."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from wallet_app.domain import errors
from wallet_app.domain.errors.families import WalletError

for _module in iter_modules(errors.__path__, errors.__name__ + "."):
    import_module(_module.name)


def every_refusal() -> list[type[WalletError]]:
    """Return the class of each refusal of the product, without the families."""
    return [each for each in _below(WalletError) if hasattr(each, "code")]


def _below(refusal: type[WalletError]) -> Iterator[type[WalletError]]:
    for each in refusal.__subclasses__():
        if each.__module__.startswith(errors.__name__):
            yield each
            yield from _below(each)
