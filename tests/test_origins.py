"""By which names the server is reached, and whose pages it answers."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.answers import assert_problem
from tests.ledgers import nothing_moves, open_wallet
from wallet_app.api import wallet_api
from wallet_app.services.service import WalletService

LOOPBACK, ANY = "127.0.0.1", "0.0.0.0"  # what a server is bound to


def client_of(service: WalletService, *allowed_hosts: str) -> FlaskClient:
    app = Flask(__name__)
    wallet_api.register(app, service, allowed_hosts)
    return app.test_client()


def is_answered(client: FlaskClient, headers: dict[str, str], bound: str) -> bool:
    response = client.get(
        "/audit", headers=headers, environ_overrides={"SERVER_NAME": bound}
    )
    if response.status_code == 200:
        return True
    assert_problem(response, 403, "forbidden")
    return False


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "wallets.example"},
        {"Host": "localhost.example"},
        {"Host": "127.0.0.1.example:80"},
        {"Host": "["},
        {"Origin": "http://wallets.example"},
        {"Origin": "http://localhost:81"},
        {"Origin": "https://localhost"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_pages_of_other_origins_neither_read_nor_trigger_anything(
    service: WalletService, headers: dict[str, str]
) -> None:
    client, wallet_id = client_of(service), open_wallet(service, 100)
    service.freeze(wallet_id, "Card stolen")
    with nothing_moves(service):
        for method, path in (
            ("GET", "/audit"),
            ("POST", f"/wallet/{wallet_id}/unfreeze"),
        ):
            response = client.open(path, method=method, headers=headers)
            assert_problem(response, 403, "forbidden")
            assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "127.0.0.1:8000"},
        {"Host": "[::1]:8000"},
        {"Host": "192.168.1.5"},
        {"Host": "wallets.localhost"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
    ids=str,
)
def test_its_own_pages_and_a_link_that_is_followed_are_answered(
    service: WalletService, headers: dict[str, str]
) -> None:
    assert is_answered(client_of(service), headers, LOOPBACK)


@pytest.mark.parametrize(
    ("host", "bound", "allowed", "answered"),
    [
        ("localhost", LOOPBACK, (), True),
        ("wallets.example", LOOPBACK, (), False),
        ("wallets.example", "::1", (), False),
        ("wallets.example", ANY, (), True),
        ("wallets.example:8000", LOOPBACK, ("wallets.example",), True),
        ("WALLETS.example.", LOOPBACK, ("wallets.example",), True),
        ("wallets.example", ANY, ("pay.example",), False),
        ("localhost", LOOPBACK, ("pay.example",), False),
    ],
)
def test_the_names_of_the_server_are_those_of_the_setting_or_local_ones(
    service: WalletService,
    host: str,
    bound: str,
    allowed: tuple[str, ...],
    answered: bool,
) -> None:
    client = client_of(service, *allowed)
    assert is_answered(client, {"Host": host}, bound) is answered


def test_a_page_that_a_proxy_serves_over_tls_is_the_servers_own(
    service: WalletService,
) -> None:
    headers = {"Host": "pay.example", "Origin": "https://pay.example"}
    assert is_answered(client_of(service, "pay.example"), headers, ANY)
    assert not is_answered(client_of(service), headers, ANY)
