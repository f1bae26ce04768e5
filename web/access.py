"""Who may ask: the host that a request names, the page that it comes from, and the secret that it knows. Pure.

A page of another site reaches a server on this machine too, through the browser of a person who visits it. By a name of
its own that it has lead to 127.0.0.1 (DNS rebinding) it could even read the answers. So a request must name an address,
which no other site can have lead elsewhere, or a name that is ours; and where the browser tells which page it comes
from, that must be a page of ours.
"""

import base64
import binascii
import hmac
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

# Sec-Fetch-Site: typed, bookmarked, or from a page of ours. Programs that are no browsers send none.
OWN_SITES = frozenset({"same-origin", "none", ""})


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names an address, localhost, or one of these names; the port may be any."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if not name:
        return False
    if name == "localhost" or name in {own.lower() for own in names}:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


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
