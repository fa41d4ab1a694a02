"""Amounts, ids, wallets and entries, in the forms of a dialect."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal

from tests.judge.servers import exercise
from tests.judge.servers.dialect import Dialect
from tests.judge.servers.exercise import Entry, Refused, Wallet

PAID = ("DEBIT", "TRANSFER_OUT")

Form = dict[str, object]


class Forms:
    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def units(self, value: object, least: int = 1) -> int:
        """Return an amount in minor units; raise Refused for what is none."""
        units = self.number(value) * (1 if self.dialect.money == "integer" else 100)
        if not least <= units <= exercise.AMOUNT_MAX or units != int(units):
            raise Refused(400, "the amount is too small, too large or too precise")
        return int(units)

    def number(self, value: object) -> Decimal:
        match self.dialect.money, value:
            case "text", str() if re.fullmatch(r"\d{1,15}(\.\d\d?)?", value):
                return Decimal(value)
            case "integer" | "decimal", int() if not isinstance(value, bool):
                return Decimal(value)
            case "decimal", Decimal() if abs(value) < exercise.AMOUNT_MAX:
                return value
        raise Refused(400, "the amount is no number")

    def money(self, units: int) -> object:
        if self.dialect.money == "integer":
            return units
        major = Decimal(units).scaleb(-2)
        return str(major) if self.dialect.money == "text" else major

    def id(self, id: str) -> object:
        return int(id) if self.dialect.ids == "integer" else id

    def wallet(self, wallet: Wallet) -> Form:
        form: Form = {
            self.dialect.name("id"): self.id(wallet.id),
            self.dialect.name("user"): wallet.user_id,
            "balance": self.money(wallet.balance),
            "createdAt": wallet.created_at,
        }
        if self.dialect.history == "inside":
            form["transactions"] = self.entries(wallet.entries)
        return form

    def entries(self, entries: list[Entry]) -> list[Form]:
        turned = reversed(entries) if self.dialect.is_latest_first else entries
        return [self.entry(entry) for entry in turned]

    def entry(self, entry: Entry) -> Form:
        is_negative = self.dialect.is_signed and entry.type in PAID
        return {
            "id": entry.id,
            "type": self.dialect.types.get(entry.type, entry.type),
            "amount": self.money(-entry.amount if is_negative else entry.amount),
            "balanceAfter": self.money(entry.balance_after),
            "referenceId": entry.reference_id,
            "createdAt": entry.created_at,
        }


def csv_of(forms: list[Form]) -> str:
    text = io.StringIO()
    names = ("id", "type", "amount", "balanceAfter", "referenceId", "createdAt")
    rows = csv.DictWriter(text, names)
    rows.writeheader()
    rows.writerows(forms)
    return text.getvalue()


def snake(content: object) -> object:
    if isinstance(content, list):
        return [snake(each) for each in content]
    if isinstance(content, dict):
        return {_snake_name(name): snake(each) for name, each in content.items()}
    return content


def _snake_name(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
