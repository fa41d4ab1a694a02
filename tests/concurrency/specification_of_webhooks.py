"""The part of the specification that is about webhooks, and not about deliveries.

The `label` of an operation is that of the call that created the webhook.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.concurrency.ledger import Ledger
from tests.concurrency.results import Done, Result, Webhook
from tests.concurrency.specification import Operation


@dataclass(frozen=True, repr=False)
class CreateWebhook(Operation):
    """Its URL has the label of the call."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        webhook = Webhook(by)
        return webhook, ledger._replace(webhooks=(*ledger.webhooks, webhook))


@dataclass(frozen=True, repr=False)
class GetWebhook(Operation):
    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.webhook(self.label), ledger


@dataclass(frozen=True, repr=False)
class DeleteWebhook(Operation):
    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        webhook = ledger.webhook(self.label)
        others = tuple(each for each in ledger.webhooks if each != webhook)
        return Done(), ledger._replace(webhooks=others)


@dataclass(frozen=True, repr=False)
class ListWebhooks(Operation):
    """All of them, oldest first."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.webhooks, ledger
