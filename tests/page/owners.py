"""Owners of wallets on the page, and how its forms are filled in."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import count
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser import Visit
from tests.live_api import Api

EVERYBODY = count(1)
TABS = "transfer add deduct batch exchange bank limits freeze fraud".split()
STORM_MILLISECONDS = 90_000
"""For a thousand transfers, on a machine that has much else to do."""


class Owner:
    """Somebody who has one wallet, and is on the page in a moment."""

    def __init__(self, visit: Visit, api: Api, currency: str, balance: int) -> None:
        self._visit, self._api, self._currency = visit, api, currency
        self.name = f"Owner {next(EVERYBODY)}"
        user = api.post("/demo/people", 201, name=self.name)["userId"]
        wallet = api.post("/wallet/create", 201, userId=user, currency=currency)
        self.wallet_id = str(wallet["id"])
        if balance:
            api.post("/wallet/add", 200, walletId=self.wallet_id, amount=balance)

    @property
    def card(self) -> Locator:
        return self._visit.page.locator(f'[data-wallet-id="{self.wallet_id}"]')

    @property
    def called(self) -> str:
        return f"{self.name}, {self._currency}"

    @property
    def balance(self) -> int:
        return int(self._api.get(f"/wallet/{self.wallet_id}")["balance"])

    @property
    def transactions(self) -> list[dict[str, Any]]:
        """What the service has of this wallet, latest first."""
        page = self._api.get(f"/wallet/{self.wallet_id}/transactions")
        return list(page["transactions"])

    def choose(self) -> Owner:
        """Have the page act on this wallet from now on."""
        button = self.card.get_by_role("button")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        return self

    def shows(self, balance: str) -> None:
        expect(self.card.get_by_test_id("balance")).to_have_text(balance)


def fill(visit: Visit, tab: str, form: str, **fields: str) -> Locator:
    """Open a tab, fill in the fields of a form, and return the form."""
    visit.on(f"tab-{tab}").click()
    place = visit.page.locator(f"#{form}-form")
    for name, text in fields.items():
        place.locator(f'[name="{name}"]').fill(text)
    return place


def send(visit: Visit, name: str, to: Owner | None = None, **fields: str) -> Locator:
    """Fill in the form of an action, send it, and return it."""
    form = fill(visit, name, name, **fields)
    if to is not None:
        form.get_by_label("To", exact=True).select_option(label=to.called)
    visit.on(f"{name}-submit").click()
    return form


def says(form: Locator, words: str | re.Pattern[str]) -> None:
    """Wait until a form says what came of it."""
    expect(form.get_by_test_id("result")).to_have_text(words)


def two_with_a_threshold(visit: Visit, api: Api) -> tuple[Owner, Owner]:
    """Return a receiver, and a sender whose threshold was set on the page."""
    target, owner = Owner(visit, api, "USD", 0), Owner(visit, api, "USD", 50_000)
    owner.choose()
    form = fill(visit, "limits", "limits", approvalThreshold="100")
    visit.on("limits-submit").click()
    says(form, "Limits saved.")
    limits = api.get(f"/wallet/{owner.wallet_id}/limits")
    assert limits["approvalThreshold"] == 10_000
    return target, owner


def indian(amount: Decimal) -> str:
    """Write an amount with commas as in 12,50,000.00."""
    whole, dot, decimals = f"{amount:f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    grouped = re.sub(r"\B(?=([0-9]{2})+$)", ",", head)
    return (f"{grouped}," if head else "") + tail + dot + decimals
