"""The API description as a reader and a generator of clients need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

Described = dict[str, Any]

METHODS = ("get", "put", "post", "delete")


@pytest.fixture
def description(client: FlaskClient) -> Described:
    loaded: Described = client.get("/openapi.json").get_json()
    return loaded


def operations_of(description: Described) -> Iterator[Described]:
    for path in description["paths"].values():
        yield from (path[method] for method in METHODS if method in path)


def test_every_operation_has_a_name_of_its_own(description: Described) -> None:
    names = [each["operationId"] for each in operations_of(description)]
    assert len(names) == len(set(names)) > 30
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+)*", name) for name in names)
    assert {"createWallet", "addMoney", "listTransactions", "createQuote"} <= set(names)


def test_every_operation_is_described_and_has_a_tag(description: Described) -> None:
    tags = {each["name"]: each["description"] for each in description["tags"]}
    used = set()
    for operation in operations_of(description):
        name = operation["operationId"]
        assert operation["summary"] and not operation["summary"].endswith("."), name
        assert operation["description"].endswith("."), name
        used.update(operation["tags"])
    assert used == set(tags) and all(tags.values())


def test_every_operation_says_how_it_refuses(description: Described) -> None:
    for operation in operations_of(description):
        refused = [status for status in operation["responses"] if status[0] == "4"]
        assert {"403", "414"} <= set(refused), operation["operationId"]


def test_path_parameters_are_in_camel_case_and_all_declared(
    description: Described,
) -> None:
    for path, described in description["paths"].items():
        names = re.findall(r"\{(.*?)\}", path)
        assert names == [each["name"] for each in described.get("parameters", [])]
        assert all(re.fullmatch("[a-z]+([A-Z][a-z]+)*", name) for name in names)


def test_the_server_and_the_lack_of_security_are_said(description: Described) -> None:
    assert description["servers"] == [{"url": "/"}]
    assert description["security"] == []
    assert "no authentication" in description["info"]["description"]


def test_no_idempotency_key_is_filled_in(description: Described) -> None:
    """A page such as /docs fills in an example, and a key is good for one request."""
    for operation in operations_of(description):
        for parameter in operation["parameters"]:
            if parameter["in"] == "header":
                assert parameter["name"] == "Idempotency-Key"
                assert not {"example", "examples"} & set(parameter)
                assert not {"example", "examples", "default"} & set(parameter["schema"])


def test_links_give_operations_what_they_take(description: Described) -> None:
    operations = {each["operationId"]: each for each in operations_of(description)}
    paths = {
        path[method]["operationId"]: re.findall(r"\{(.*?)\}", name)
        for name, path in description["paths"].items()
        for method in METHODS
        if method in path
    }
    followed = set()
    for source in operations.values():
        for answer in source["responses"].values():
            for link in answer.get("links", {}).values():
                name = link["operationId"]
                followed.add(name)
                taken = {each["name"] for each in operations[name]["parameters"]}
                given = set(link.get("parameters", {}))
                assert set(paths[name]) <= given <= {*paths[name], *taken}
                if "requestBody" in link:
                    content = operations[name]["requestBody"]["content"]
                    body = content["application/json"]["schema"]["$ref"]
                    schema = description["components"]["schemas"][body.split("/")[-1]]
                    assert set(link["requestBody"]) <= set(schema["properties"])
    assert {name for name, ids in paths.items() if ids} <= followed


@pytest.mark.parametrize(
    ("source", "status", "targets"),
    [
        ("createWallet", "201", {"addMoney", "transferMoney", "listTransactions"}),
        ("addMoney", "200", {"getTransaction"}),
        ("transferMoney", "200", {"getTransaction"}),
        ("transferMoney", "202", {"getApproval", "confirmApproval", "resendCode"}),
        ("createQuote", "201", {"transferMoney"}),
        ("withdrawMoney", "202", {"getPayment", "retryPayment", "cancelApproval"}),
        ("createWebhook", "201", {"getWebhook", "deleteWebhook", "listDeliveries"}),
        ("listDeliveries", "200", {"redeliver"}),
    ],
)
def test_what_is_made_leads_on(
    description: Described, source: str, status: str, targets: set[str]
) -> None:
    operations = {each["operationId"]: each for each in operations_of(description)}
    assert targets <= set(operations[source]["responses"][status]["links"])
