"""Who may ask: the page that a request comes from, and the secret that it knows. Pure.

Where the browser tells which page a request comes from, that must be a page of ours (lookalike/own_hosts.py has why).
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

# Sec-Fetch-Site: typed, bookmarked, or from a page of ours. Programs that are no browsers send none.
OWN_SITES = frozenset({"same-origin", "none", ""})


def is_own_page(headers: Mapping[str, str], *, is_visit: bool) -> bool:
    """Whether a request comes from no page, or from one of ours; `is_visit`: for the page, to which all may link."""
    origin = headers.get("origin", "")
    if origin and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return False
    if headers.get("sec-fetch-site", "") in OWN_SITES:
        return True
    return is_visit and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def is_let_in(authorization: str, secret: str | None) -> bool:
    """Whether an Authorization header has the secret: `user:password` as Basic; a token as Bearer, or as a password."""
    if secret is None:
        return True
    scheme, _, given = authorization.partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        return ":" not in secret and _is_same(given, secret)
    if scheme.lower() != "basic":
        return False
    try:
        decoded = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return _is_same(decoded if ":" in secret else decoded.partition(":")[2], secret)


def _is_same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())
