"""Whether a request to a server of ours names a host that is ours. Pure.

A page of another site reaches a server on this machine too, through the browser of a person who visits it. By a name of
its own that it has lead to 127.0.0.1 (DNS rebinding) it could even read the answers. So a request must name an address,
which no other site can have lead elsewhere, or a name that is ours.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_own_host(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names an address, localhost, or one of these names; the port may be any."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return False
    # What is more than a name and a port is no Host, and two readers might find two names in it.
    if not name or "@" in host or parts.netloc != host:
        return False
    if name == "localhost" or name in {own.lower() for own in names}:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
