"""What the page shows of its requests, and of refusals."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import Owner, fill, says, send
from tests.server import TIMEOUT_SECONDS

pytestmark = [pytest.mark.server, pytest.mark.browser]


QUOTES = """it's "$HOME" `id` \\ é 'twice'"""


def test_the_line_of_an_action_does_in_a_shell_what_the_page_did(
    visit: Visit, api: Api
) -> None:
    owner = Owner(visit, api, "USD", 0).choose()
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    says(send(visit, "add", amount="1.25", description=QUOTES), "Added $1.25.")
    entry = visit.on("bench-entry").first
    expect(entry).to_contain_text("POST /wallet/add")
    expect(entry.get_by_test_id("bench-status")).to_have_text("200")
    entry.get_by_test_id("bench-copy").click()
    expect(entry.get_by_test_id("bench-copy")).to_have_text("Copied")
    line = visit.page.evaluate("() => navigator.clipboard.readText()")
    assert line == entry.get_by_test_id("bench-curl").text_content()
    assert shell(line)["transaction"]["description"] == QUOTES
    owner.shows("$2.50")
    shown, ran = owner.transactions
    for same in ("type", "amount", "description", "category"):
        assert shown[same] == ran[same]

    form = fill(visit, "limits", "limits", daily="75")
    visit.on("limits-submit").click()
    says(form, "Limits saved.")
    line = visit.on("bench-curl").first.text_content() or ""
    api.ask("PUT", f"/wallet/{owner.wallet_id}/limits", 200, {})
    assert shell(line)["daily"] == 7_500
    visit.on("audit-now").click()
    expect(visit.on("bench-entry").first).to_contain_text("GET /audit")
    assert shell(visit.on("bench-curl").first.text_content() or "")["balanced"]


def shell(line: str) -> Any:
    """Run a line of the bench in a shell, and return what it was answered."""
    ran = subprocess.run(
        ["bash", "-euc", line],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    return json.loads(ran.stdout)


def test_refusals_are_told_in_words_where_they_happened(visit: Visit, api: Api) -> None:
    target, owner = Owner(visit, api, "USD", 0), Owner(visit, api, "USD", 1_000)
    owner.choose()
    visit.announce(400)
    form = send(visit, "transfer", to=target, amount="20")
    problem = form.get_by_test_id("field-error")
    expect(problem).to_have_text(f"Not enough money: {owner.name} has $10.00.")
    expect(visit.page.get_by_role("alert").filter(visible=True)).to_have_count(1)
    expect(visit.on("bench-answer").first).to_contain_text("insufficient_funds")
    assert (owner.balance, target.balance) == (1_000, 0)
    says(
        send(visit, "transfer", to=target, amount="5", category=""), re.compile("went")
    )
    expect(problem).to_be_hidden()


def test_a_request_sent_again_with_its_key_is_replayed(visit: Visit, api: Api) -> None:
    owner = Owner(visit, api, "USD", 0).choose()
    says(send(visit, "add", amount="1.25"), "Added $1.25.")
    entries, replayed = visit.on("bench-entry"), "bench-replayed"
    expect(entries.first.get_by_test_id(replayed)).to_be_hidden()
    answer = entries.first.get_by_test_id("bench-answer").text_content()
    entries.first.get_by_test_id("bench-again").click()
    expect(entries.first.get_by_test_id(replayed)).to_have_text("replayed: nothing ran")
    expect(entries.first.get_by_test_id("bench-answer")).to_have_text(answer or "")
    assert owner.balance == 125 and len(owner.transactions) == 1
    first, second = (each.headers["idempotency-key"] for each in visit.sent)
    assert first == second


def test_a_request_of_another_visit_to_the_page_says_so(visit: Visit, api: Api) -> None:
    Owner(visit, api, "USD", 0).choose()
    says(send(visit, "add", amount="1.25"), "Added $1.25.")
    added = visit.on("bench-entry").filter(has_text="POST /wallet/add").first
    expect(added.get_by_test_id("bench-other")).to_be_hidden()
    visit.page.reload()
    other = added.get_by_test_id("bench-other")
    expect(other).to_have_text("another visit to this page")


def test_the_requests_of_every_client_are_on_the_bench(visit: Visit, api: Api) -> None:
    owner = Owner(visit, api, "USD", 0)
    for amount in (1, 2, 4):
        api.post("/wallet/add", 200, walletId=owner.wallet_id, amount=amount)
    entry = visit.on("bench-entry").filter(has_text=f'"{owner.wallet_id}","amount":4')
    expect(entry).to_contain_text("POST /wallet/add")
    expect(entry.get_by_test_id("bench-other")).to_have_text("another client")
    expect(entry.get_by_test_id("bench-count")).to_have_text("× 3")
    line = entry.get_by_test_id("bench-curl").text_content() or ""
    assert shell(line)["wallet"]["balance"] == 11
