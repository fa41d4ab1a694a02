"""Bad bodies: each is refused with a problem, none changes anything, none is a 500."""

from __future__ import annotations

import io
import json
from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError
from werkzeug.test import TestResponse

from tests.answers import assert_problem
from tests.ledgers import balances, everything, nothing_moves, open_wallet
from wallet_app import create_app
from wallet_app.api.incoming.body import BODY_BYTES_MAX, BodyReader
from wallet_app.api.incoming.field_errors import ERRORS_MAX, NAME_LENGTH_MAX
from wallet_app.api.incoming.fields import DESCRIPTION_LENGTH_MAX
from wallet_app.api.incoming.strict_json import MEMBERS_MAX
from wallet_app.api.openapi.operation import operation_of
from wallet_app.domain.errors.request_errors import InvalidRequest
from wallet_app.domain.transactions import HOUSE
from wallet_app.services.service import WalletService

WALLET_ID = "%WALLET_ID%"

AMOUNTS = {
    "nothing": "0",
    "negative": "-1",
    "negative zero": "-0",
    "a fraction": "5.5",
    "a whole number with a point": "5.0",
    "an exponent": "1e3",
    "a huge exponent": "1e999999999",
    "a float that is infinite": "1e400",
    "true": "true",
    "false": "false",
    "null": "null",
    "digits in a string": '"500"',
    "a list": "[500]",
    "an object": '{"value": 500}',
    "one more than the largest": str(2**53),
    "20 digits": "9" * 20,
    "30 digits": "9" * 30,
    "5000 digits": "9" * 5000,
    "5000 negative digits": "-" + "9" * 5000,
}

BODIES = {
    "nothing": b"",
    "white space": b" \n",
    "a word": b"amount",
    "an array": b"[]",
    "a string": b'"body"',
    "a number": b"500",
    "null": b"null",
    "cut off": b'{"walletId": "',
    "with a tail": b"{} {}",
    "with a comment": b"{} // an empty object",
    "with a trailing comma": b'{"amount": 5,}',
    "in single quotes": b"{'amount': 5}",
    "NaN": b'{"amount": NaN}',
    "Infinity": b'{"amount": Infinity}',
    "minus Infinity": b'{"amount": -Infinity}',
    "a leading zero": b'{"amount": 05}',
    "a plus": b'{"amount": +5}',
    "hexadecimal": b'{"amount": 0x5}',
    "duplicate keys": b'{"walletId": "%WALLET_ID%", "amount": 1, "amount": 500}',
    "duplicate keys within": b'{"amount": {"a": 1, "a": 2}}',
    "equal keys spelled differently": b'{"amount": 1, "\\u0061mount": 500}',
    "10000 levels of lists": b"[" * 10_000 + b"]" * 10_000,
    "10000 levels of objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "10000 open lists": b"[" * 10_000,
    "a lone high surrogate": b'{"description": "\\ud800"}',
    "a lone low surrogate": b'{"description": "\\udc00 after"}',
    "a lone surrogate as a key": b'{"\\ud800": 1}',
    "surrogates the wrong way round": b'{"description": "\\udc00\\ud800"}',
    "bytes that are not UTF-8": b'{"description": "\xff"}',
    "a surrogate in UTF-8": b'{"description": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"description": "\xc0\xaf"}',
    "UTF-16": '{"amount": 5}'.encode("utf-16"),
    "UTF-32": '{"amount": 5}'.encode("utf-32-le"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a raw NUL": b'{"description": "\x00"}',
    "only NULs": b"\x00" * 100,
    "a raw line break in a string": b'{"description": "\n"}',
    "just under the largest": b" " * (BODY_BYTES_MAX - 2) + b"[]",
}

FIELDS: dict[str, dict[str, Any]] = {
    "no field": {},
    "an unknown field": {"colour": "red"},
    "the quote of a transfer": {"quoteId": WALLET_ID},
    "a dunder": {"__class__": "x"},
    "an empty name": {"": 1},
    "a name in snake case": {"wallet_id": WALLET_ID},
    "a claim": {"claim": None},
    "no wallet": {"walletId": None},
    "an empty wallet": {"walletId": ""},
    "a wallet that is a number": {"walletId": 1},
    "a wallet in braces": {"walletId": "{00000000-0000-4000-8000-000000000000}"},
    "a wallet without hyphens": {"walletId": "00000000000040008000000000000000"},
    "a wallet with a digit too few": {
        "walletId": "00000000-0000-4000-8000-00000000000"
    },
    "a wallet with a line break": {"walletId": WALLET_ID + "\n"},
    "a wallet with a NUL": {"walletId": WALLET_ID + "\0"},
    "a wallet of foreign digits": {"walletId": "٠" * 8 + "-0000-4000-8000-" + "0" * 12},
    "a category in capitals": {"category": "Food"},
    "a category that is empty": {"category": ""},
    "a category that is too long": {"category": "f" * 33},
    "a category with a line break": {"category": "food\n"},
    "a category that starts with a digit": {"category": "1st"},
    "a category that is a list": {"category": ["food"]},
    "a description with a NUL": {"description": "a\0b"},
    "a description with an escape": {"description": "\x1b[31m"},
    "a description with an escape in one character": {"description": "\x9b31m"},
    "a description that is too long": {
        "description": "x" * (DESCRIPTION_LENGTH_MAX + 1)
    },
    "a description that is a number": {"description": 5},
    "a description that is a fraction": {"description": 5.5},
}


@pytest.fixture
def wallet_id(service: WalletService) -> str:
    return open_wallet(service, 500)


def post_raw(client: FlaskClient, name: str, body: str | bytes) -> TestResponse:
    return client.post(f"/wallet/{name}", data=body, content_type="application/json")


def refused(client: FlaskClient, name: str, body: bytes) -> dict[str, Any]:
    return assert_problem(post_raw(client, name, body), 400, "invalid_request")


@pytest.mark.parametrize("name", AMOUNTS)
def test_what_is_no_amount_is_refused(
    client: FlaskClient, service: WalletService, wallet_id: str, name: str
) -> None:
    other = open_wallet(service)
    amount = AMOUNTS[name]
    with nothing_moves(service):
        for path, wallets in (
            ("add", f'"walletId": "{wallet_id}"'),
            ("deduct", f'"walletId": "{wallet_id}"'),
            ("transfer", f'"fromWalletId": "{wallet_id}", "toWalletId": "{other}"'),
        ):
            body = f'{{{wallets}, "amount": {amount}}}'.encode()
            problem = refused(client, path, body)
            assert set(problem["errors"]) == {"amount"}


@pytest.mark.parametrize("name", BODIES)
def test_what_is_no_json_object_of_ours_is_refused(
    client: FlaskClient, service: WalletService, wallet_id: str, name: str
) -> None:
    body = BODIES[name].replace(WALLET_ID.encode(), wallet_id.encode())
    with nothing_moves(service):
        for path in ("create", "add", "deduct", "transfer"):
            refused(client, path, body)


@pytest.mark.parametrize("name", FIELDS)
def test_what_is_no_field_of_ours_is_refused(
    client: FlaskClient, service: WalletService, wallet_id: str, name: str
) -> None:
    right = {"walletId": wallet_id, "amount": 5}
    wrong = {
        field: value.replace(WALLET_ID, wallet_id) if isinstance(value, str) else value
        for field, value in FIELDS[name].items()
    }
    body = right | wrong if wrong else {}
    with nothing_moves(service):
        problem = refused(client, "add", json.dumps(body).encode())
    assert set(problem["errors"]) == (set(wrong) or set(right))


def test_an_answer_lists_a_bounded_number_of_errors_and_counts_the_others(
    client: FlaskClient, service: WalletService, wallet_id: str
) -> None:
    unknown = {f"field {number}": 1 for number in range(MEMBERS_MAX - 2)}
    body = json.dumps(unknown | {"walletId": wallet_id, "amount": 0}).encode()
    with nothing_moves(service):
        errors = refused(client, "add", body)["errors"]
    assert list(errors)[:2] == ["amount", "field 0"], "ours come first"
    assert len(errors) == ERRORS_MAX + 1
    more = len(unknown) + 1 - ERRORS_MAX
    assert errors["..."] == [f"{more} more fields are wrong."]
    query = "&".join(f"field{number}=1" for number in range(30))
    problem = assert_problem(
        client.get(f"/wallet/{wallet_id}/transactions?{query}"), 400, "invalid_request"
    )
    assert problem["errors"]["..."] == ["10 more fields are wrong."]


def test_as_many_errors_as_are_listed_need_no_count(
    client: FlaskClient, wallet_id: str
) -> None:
    unknown = {f"field {number}": 1 for number in range(ERRORS_MAX)}
    body = json.dumps(unknown | {"walletId": wallet_id, "amount": 1}).encode()
    assert list(refused(client, "add", body)["errors"]) == list(unknown)


def test_an_answer_repeats_a_bounded_part_of_a_name(
    client: FlaskClient, service: WalletService, wallet_id: str
) -> None:
    short, long = "s" * NAME_LENGTH_MAX, "l" * 500_000
    right = {"walletId": wallet_id, "amount": 1}
    with nothing_moves(service):
        problem = refused(
            client, "add", json.dumps(right | {short: 1, long: 1}).encode()
        )
    assert set(problem["errors"]) == {short, "l" * NAME_LENGTH_MAX + "..."}


@pytest.mark.parametrize("template", ["%s", '{"amount": %s}', '{"amount": [%s]}'])
def test_an_object_of_very_many_members_is_refused_as_a_whole(
    client: FlaskClient, service: WalletService, wallet_id: str, template: str
) -> None:
    many = json.dumps({str(number): 1 for number in range(MEMBERS_MAX + 1)})
    with nothing_moves(service):
        problem = refused(client, "add", (template % many).encode())
    assert "errors" not in problem
    assert str(MEMBERS_MAX) in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"userId": None},
        {"userId": 5},
        {"userId": HOUSE},
        {"userId": "asha"},
        {"currency": "INR"},
        {"userId": "0b8f6c52-1f6e-4c57-8f38-5c3d1f0a9e01", "currency": "XXX"},
        {"userId": "0b8f6c52-1f6e-4c57-8f38-5c3d1f0a9e01", "currency": "XAU"},
        {"userId": "0b8f6c52-1f6e-4c57-8f38-5c3d1f0a9e01", "currency": "inr"},
        {"userId": "0b8f6c52-1f6e-4c57-8f38-5c3d1f0a9e01", "currency": 356},
        {"userId": "0b8f6c52-1f6e-4c57-8f38-5c3d1f0a9e01", "currency": ["INR"]},
        {"userId": "0b8f6c52-1f6e-4c57-8f38-5c3d1f0a9e01", "balance": 500},
    ],
    ids=str,
)
def test_a_wallet_of_the_wrong_shape_is_not_created(
    client: FlaskClient, service: WalletService, body: dict[str, object]
) -> None:
    with nothing_moves(service):
        refused(client, "create", json.dumps(body).encode())


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/problem+json",
        "application/json-patch+json",
        "json",
        "\x00",
    ],
)
def test_another_content_type_is_refused(
    client: FlaskClient, service: WalletService, wallet_id: str, content_type: str
) -> None:
    body = json.dumps({"walletId": wallet_id, "amount": 5})
    with nothing_moves(service):
        response = client.post("/wallet/add", data=body, content_type=content_type)
        assert_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "control", "\u061c\u200e\u200f\u202a\u202e\u2066\u2069", ids=ascii
)
def test_text_that_changes_the_direction_of_text_is_refused(
    client: FlaskClient, service: WalletService, wallet_id: str, control: str
) -> None:
    body = {"walletId": wallet_id, "amount": 5, "description": f"Rent{control}"}
    with nothing_moves(service):
        problem = refused(client, "add", json.dumps(body).encode())
        assert set(problem["errors"]) == {"description"}
        frozen = client.post(f"/wallet/{wallet_id}/freeze", json={"reason": control})
        assert_problem(frozen, 400, "invalid_request")


def test_text_of_every_direction_is_taken(client: FlaskClient, wallet_id: str) -> None:
    text = "إيجار, שכר דירה, किराया \u200d\u200c"
    body = {"walletId": wallet_id, "amount": 5, "description": text}
    made = client.post("/wallet/add", json=body)
    assert made.get_json()["transaction"]["description"] == text


def chunked(client: FlaskClient, body: io.BytesIO) -> TestResponse:
    """Send a body without its length, as the chunks of a real request come."""
    return client.post(
        "/wallet/add",
        input_stream=body,
        content_type="application/json",
        environ_overrides={
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
        },
    )


@pytest.mark.parametrize("excess", [1, 1024 * 1024])
def test_a_body_over_one_mebibyte_is_refused(
    client: FlaskClient, service: WalletService, wallet_id: str, excess: int
) -> None:
    right = json.dumps({"walletId": wallet_id, "amount": 5}).encode()
    largest = right.ljust(BODY_BYTES_MAX)
    with nothing_moves(service):
        for response in (
            post_raw(client, "add", largest + b" " * excess),
            chunked(client, io.BytesIO(largest + b" " * excess)),
        ):
            assert_problem(response, 413, "request_entity_too_large")
    assert post_raw(client, "add", largest).status_code == 200
    assert chunked(client, io.BytesIO(largest)).status_code == 200


def test_a_body_shorter_than_its_length_is_refused(
    client: FlaskClient, service: WalletService, wallet_id: str
) -> None:
    body = json.dumps({"walletId": wallet_id, "amount": 5})
    with nothing_moves(service):
        response = client.post(
            "/wallet/add",
            data=body,
            content_type="application/json",
            environ_overrides={
                "wsgi.input_terminated": True,
                "CONTENT_LENGTH": str(len(body) + 1),
            },
        )
        assert_problem(response, 400, "bad_request")


# What schemas say, and the reader does

OPERATIONS = {
    name: operation
    for name, view in create_app().view_functions.items()
    if (operation := operation_of(view)) and operation.body
}


def flat(errors: dict[str, Any]) -> dict[str, Any]:
    """Return errors by the path of their fields."""
    by_path: dict[str, Any] = {}
    for name, error in errors.items():
        inner = error if isinstance(error, dict) else {"": error}
        by_path |= {f"{name}.{key}".rstrip("."): each for key, each in inner.items()}
    return by_path


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_body_is_read_as_its_schema_loads_it(client: FlaskClient, name: str) -> None:
    schema = OPERATIONS[name].body
    assert schema is not None
    example = schema.example
    read = BodyReader(schema)
    for body in (
        dict(example),
        *({**example, key: None} for key in example),
        *({k: v for k, v in example.items() if k != key} for key in example),
        {**example, "unknown": 1},
    ):
        with client.application.test_request_context(method="POST", json=body):
            try:
                expected: Any = schema.load(deepcopy(body))  # it takes operations apart
            except ValidationError as error:
                with pytest.raises(InvalidRequest) as refusal:
                    read()
                refused = refusal.value.values["errors"]
                expected = flat(error.messages_dict)
                assert refused == expected
            else:
                assert read() == expected


# What Hypothesis makes up

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["walletId", "INR", "food"]),
    lambda values: (
        st.lists(values, max_size=4)
        | st.dictionaries(st.text(max_size=9), values, max_size=4)
    ),
    max_leaves=12,
)
names = st.sampled_from(
    ["walletId", "amount", "category", "description", "fromWalletId", "toWalletId"]
    + ["userId", "currency"]
)
bodies = st.dictionaries(names | st.text(max_size=9), json_values, max_size=6)
commands = st.sampled_from(["create", "add", "deduct", "transfer"])

unhurried = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.slow
@unhurried
@given(name=commands, body=bodies)
def test_no_made_up_object_is_let_in(
    client: FlaskClient, service: WalletService, name: str, body: dict[str, Any]
) -> None:
    """No made-up value is the id of a wallet or a user, so every body is refused."""
    response = post_raw(client, name, json.dumps(body))
    assert_problem(response, 400, "invalid_request")
    assert everything(service) == {}


@pytest.mark.slow
@unhurried
@given(name=commands, body=st.binary(max_size=64))
def test_no_made_up_bytes_are_let_in(
    client: FlaskClient, service: WalletService, name: str, body: bytes
) -> None:
    assert_problem(post_raw(client, name, body), 400, "invalid_request")
    assert everything(service) == {}


@pytest.mark.slow
@unhurried
@given(amount=json_values | st.integers(0, 2**54))
def test_only_integers_in_range_are_amounts(
    client: FlaskClient, service: WalletService, amount: object
) -> None:
    wallet_id = open_wallet(service)
    text = json.dumps({"walletId": wallet_id, "amount": amount})
    response = post_raw(client, "add", text)
    if type(amount) is int and 1 <= amount < 2**53:
        assert response.get_json()["wallet"]["balance"] == amount
    else:
        assert_problem(response, 400, "invalid_request")
        assert balances(service, wallet_id) == [0]
