"""Who may ask: hosts, pages and secrets, without a server."""

import base64

import pytest

from lookalike.own_hosts import is_own_host
from web.access import is_let_in, is_own_page


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1:8808", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("[::1]:8808", True),
        ("192.168.1.7:8808", True),
        ("photos.example:8808", True),
        ("Photos.Example", True),
        ("evil.example", False),
        ("photos.example.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("evil.example@127.0.0.1", False),
        ("127.0.0.1:8808.evil.example", False),
        ("127.0.0.1/evil.example", False),
        ("127.0.0.1:99999", False),
        ("2130706433", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_a_host_is_an_address_or_one_of_our_names(host: str, *, own: bool) -> None:
    assert is_own_host(host, ("photos.example",)) is own


@pytest.mark.parametrize(
    ("headers", "is_visit", "own"),
    [
        ({}, False, True),
        ({"origin": "http://127.0.0.1:8808"}, False, True),
        ({"origin": "https://127.0.0.1:8808"}, False, True),
        ({"origin": "http://127.0.0.1:9999"}, False, False),
        ({"origin": "http://evil.example"}, False, False),
        ({"origin": "null"}, False, False),
        ({"sec-fetch-site": "same-origin"}, False, True),
        ({"sec-fetch-site": "none"}, False, True),
        ({"sec-fetch-site": "same-site"}, False, False),
        ({"sec-fetch-site": "cross-site"}, False, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True, True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, False, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, True, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, True, False),
    ],
)
def test_a_request_comes_from_no_page_or_from_ours(headers: dict[str, str], *, is_visit: bool, own: bool) -> None:
    assert is_own_page({"host": "127.0.0.1:8808", **headers}, is_visit=is_visit) is own


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("secret", "authorization", "let_in"),
    [
        (None, "", True),
        ("ann:hunter2", basic("ann:hunter2"), True),
        ("ann:hunter2", basic("ann:hunter"), False),
        ("ann:hunter2", basic("hunter2"), False),
        ("ann:hunter2", "Bearer ann:hunter2", False),
        ("ann:hunter2", "", False),
        ("token", "Bearer token", True),
        ("token", "bearer  token ", True),
        ("token", basic("any:token"), True),
        ("token", "Bearer other", False),
        ("token", "Bearer ", False),
        ("token", "Basic !!!", False),
        ("token", "Digest token", False),
        ("token", f"Basic {base64.b64encode(bytes([255, 254])).decode()}", False),
    ],
)
def test_a_secret_is_sent_as_basic_or_bearer(secret: str | None, authorization: str, *, let_in: bool) -> None:
    assert is_let_in(authorization, secret) is let_in
