"""Lists of all wallets, payments and approvals: newest first, in pages, filtered."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from flask.testing import FlaskClient

from tests.answers import NOBODY, assert_problem
from tests.approving import TTL_SECONDS, Waiting
from tests.ledgers import SECOND, Crash, nothing_moves, open_wallet
from tests.payments.paying import DEPOSIT, WITHDRAWAL, Paying
from wallet_app import create_app
from wallet_app.services.approvals.approval_table import KEPT_SECONDS
from wallet_app.services.service import WalletService


def ids(client: FlaskClient, url: str, name: str = "id") -> list[str]:
    """Return the ids on a page, whose rows have the name of its path."""
    answer = client.get(url)
    assert answer.status_code == 200
    rows = answer.get_json()[url.partition("?")[0][1:]]
    return [row[name] for row in rows]


def test_wallets_of_all_users_are_listed_newest_first(
    client: FlaskClient, service: WalletService
) -> None:
    wallets = [open_wallet(service, balance) for balance in (1, 2, 3)]
    service.create_wallet("asha", "USD")
    listed = client.get("/wallets?limit=3")
    dollars, *rupees = listed.get_json().pop("wallets")
    assert (dollars["currency"], dollars["balance"]) == ("USD", 0)
    assert [each["id"] for each in rupees] == wallets[:0:-1]
    assert rupees[0] == client.get(f"/wallet/{wallets[2]}").get_json()
    assert {k: v for k, v in listed.get_json().items() if k != "wallets"} == {
        "page": 1,
        "limit": 3,
        "total": 4,
        "totalPages": 2,
    }
    assert listed.headers["Link"] == (
        '</wallets?limit=3&page=1>; rel="first", '
        '</wallets?limit=3&page=2>; rel="next", '
        '</wallets?limit=3&page=2>; rel="last"'
    )
    assert ids(client, "/wallets?limit=3&page=2") == wallets[:1]
    assert ids(client, "/wallets?limit=3&page=3") == []


def test_liquidity_wallets_are_not_among_the_wallets_of_users(house: Any) -> None:
    house.quote()
    assert house.service.list_liquidity() != []
    listed = house.service.list_wallets(100).rows
    assert {each.id for each in listed} == set(house.service.store.wallets)


def test_payments_are_listed_by_wallet_and_status() -> None:
    paying = Paying()
    http = create_app(paying.service).test_client()
    mine, other = paying.wallet_id, open_wallet(paying.service, 500)
    paid = paying.ask(DEPOSIT)
    declined = paying.ask(WITHDRAWAL, "sandbox-declines")
    paying.service.background.run_due()
    others = paying.service.withdraw(other, 1, "sandbox-ok").id
    assert ids(http, "/payments") == [others, declined, paid]
    assert ids(http, "/payments?limit=1&page=2") == [declined]
    assert ids(http, f"/payments?walletId={mine.upper()}") == [declined, paid]
    assert ids(http, "/payments?status=FAILED") == [declined]
    assert ids(http, f"/payments?status=FAILED&walletId={other}") == []
    assert ids(http, f"/payments?walletId={NOBODY}") == []
    (first,) = http.get("/payments?limit=1").get_json()["payments"]
    assert first == http.get(f"/payments/{others}").get_json()


def test_approvals_are_listed_by_wallet_and_status() -> None:
    waiting = Waiting()
    http = create_app(waiting.service).test_client()
    cancelled = waiting.request().id
    waiting.approvals.cancel(cancelled)
    waiting.clock.now += SECOND
    confirmed = waiting.request()
    waiting.confirm(confirmed)
    waiting.clock.now += SECOND
    pending = waiting.request().id

    def listed(query: str = "") -> list[str]:
        return ids(http, f"/approvals{query}", "approvalId")

    assert listed() == [pending, confirmed.id, cancelled]
    assert listed("?limit=2&page=2") == [cancelled]
    assert listed("?status=CANCELLED") == [cancelled]
    assert listed(f"?walletId={waiting.source}&status=PENDING") == [pending]
    assert listed(f"?walletId={waiting.target}") == []
    (first,) = http.get("/approvals?limit=1").get_json()["approvals"]
    assert first == http.get(f"/approvals/{pending}").get_json()
    assert "otp" not in first
    waiting.clock.now += TTL_SECONDS * SECOND
    assert listed("?status=PENDING") == []
    assert listed("?status=EXPIRED") == [pending]
    waiting.clock.now += KEPT_SECONDS * SECOND
    assert listed() == []


def test_an_approval_is_listed_when_its_request_is_committed() -> None:
    waiting = Waiting()
    seen: list[int] = []

    class Failing:
        def prepare(self, outcome: object) -> NoReturn:
            seen.append(waiting.service.list_approvals().total)
            raise Crash("full")

        def commit(self) -> NoReturn:
            raise AssertionError("it was committed without being prepared")

    with nothing_moves(waiting.service), pytest.raises(Crash):
        waiting.deduct(500, on_commit=(Failing(),))
    assert seen == [0]
    waiting.request()
    assert waiting.service.list_approvals().total == 1


@pytest.mark.parametrize(
    "path, field",
    [
        ("/wallets?limit=101", "limit"),
        ("/wallets?page=0", "page"),
        ("/wallets?status=ACTIVE", "status"),
        ("/payments?status=paid", "status"),
        ("/payments?walletId=42", "walletId"),
        ("/approvals?status=PARKED", "status"),
        ("/approvals?walletId=", "walletId"),
    ],
)
def test_a_list_names_what_is_wrong_with_its_query(
    client: FlaskClient, path: str, field: str
) -> None:
    problem = assert_problem(client.get(path), 400, "invalid_request")
    assert list(problem["errors"]) == [field]
