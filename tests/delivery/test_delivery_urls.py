"""Which URLs can be registered."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.receivers_by_hand import no_connect, no_resolve
from wallet_app.domain.errors.webhook_errors import UrlNotAllowed
from wallet_app.gateways.delivery import Transport

LONGEST = "http://example.com/" + "a" * 1_981

ALLOWED = (
    [LONGEST]
    + """
    http://example.com https://example.com/ http://example.com:1/
    HTTPS://Example.COM./hook?wallet=1&type=a%20b http://example.com:65535/
    http://localhost.example.com/ http://notlocalhost/ http://10.0.0.1.example.com/
""".split()
)

NO_URL = ["", "http://exam ple.com/", "http://example.com/a b", " http://example.com/"]
CHARACTERS = [
    "\n",
    "\r\nHost: other",
    "\t",
    "\x00",
    "\x7f",
    "\u3000",
    "\u202e",
    "\ud800",
]
REFUSED = (
    [LONGEST + "a", *NO_URL]
    + [f"http://example.com/{each}" for each in CHARACTERS]
    + f"""
    example.com //example.com/ /hook ftp://example.com/ file:///etc/passwd
    javascript:alert(1) http:example.com http:// http:///hook http://:80/ http://./
    http://a..b/ http://.example.com/ http://{"a" * 64}.com/ http://user@example.com/
    http://user:word@example.com/ http://:word@example.com/
    http://example.com@127.0.0.1/ http://example.com/# http://example.com/#here
    http://example.com:0/ http://example.com:65536/ http://example.com:-1/
    http://example.com:http/ http://example.com\\@127.0.0.1/ http:\\\\example.com/
    http://example.com/\\ http://exam%20ple.com/ http://127.0.0.1%00.example.com/
    http://127.0.0.1%2f/ http://１２７.0.0.1/ http://127。0。0。1/ http://[::1/
    http://::1/ http://[1::2::3]/ http://[fe80::1%25eth0]/ http://[fe80::1%eth0]/
    http://[2606:4700::1111%251]/ http://[::1%25]/ http://[v1.a]/
    """.split()
)


@pytest.mark.parametrize("url", ALLOWED)
def test_a_name_can_be_registered_without_a_look_up(url: str) -> None:
    Transport(resolve=no_resolve, connect=no_connect).check(url)


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("url", REFUSED, ids=ascii)
def test_a_url_that_can_never_work_is_refused_even_if_private_ones_are_allowed(
    url: str, allow_private: bool
) -> None:
    with pytest.raises(UrlNotAllowed):
        Transport(allow_private, no_resolve, no_connect).check(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://2130706433/", "the address 127.0.0.1 is not public"),
        ("http://a.localhost/", "localhost is not public"),
        ("http://a@example.com/", "the URL holds a user name or a password"),
        ("ftp://a.example/", "the URL does not begin with http:// or https://"),
    ],
)
def test_a_refusal_of_a_url_says_why(url: str, why: str) -> None:
    with pytest.raises(UrlNotAllowed, match=why):
        Transport().check(url)


@given(st.text() | st.text("htps:/[]@#?%\\.0123456789xa ").map("http://".__add__))
def test_any_text_is_allowed_or_refused_and_breaks_nothing(url: str) -> None:
    with suppress(UrlNotAllowed):
        Transport(resolve=no_resolve, connect=no_connect).check(url)
