"""What addresses and secrets may look like. A fault is a ValueError whose sentence shows nothing of the value."""

from ipaddress import ip_address
from urllib.parse import quote, urlsplit, urlunsplit

BROKER_SCHEMES = ("redis", "rediss", "sentinel", "unix")
ASCII = "ASCII letters, digits and signs"
# A dollar sign is how a secret mostly loses its end on its way through a file of variables.
QUOTING = "in .env put it in single quotes if it has a $"


def check_flower_auth(auth: str) -> None:
    """Raises ValueError unless Flower lets in exactly one user with one password for it."""
    user, colon, password = auth.partition(":")
    if not (user and colon and password):
        raise ValueError(f"must look like user:password ({QUOTING})")
    if "," in auth:
        # Flower takes it for two users, the first with half of the password.
        raise ValueError("must be without a comma, which Flower takes for the end of the password")
    if not (auth.isascii() and auth.isprintable()):
        # Flower compares it as ASCII, and answers every request with 500 (Flower 2.2.0).
        raise ValueError(f"must be of {ASCII}")


def check_api_key(key: str) -> None:
    """Raises ValueError unless the key can be sent as a header of HTTP and of gRPC."""
    if not (key.isascii() and key.isprintable()) or key != key.strip():
        raise ValueError(
            "must be of ASCII letters, digits and signs, without blanks at its ends: it is sent as a header"
        )


def check_web_auth(auth: str) -> None:
    """Raises ValueError unless it is a token, or a user and a password, that can be sent as a header."""
    user, colon, password = auth.partition(":")
    if colon and not (user and password):
        raise ValueError(f"must be a token, or look like user:password ({QUOTING})")
    if not (auth.isascii() and auth.isprintable()) or " " in auth:
        raise ValueError(f"must be of {ASCII}, without blanks: it is sent as a header")


def is_loopback(host: str) -> bool:
    """Whether a server that listens on this address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_broker_url(url: str) -> None:
    """Raises ValueError unless it is an address of a broker whose password ends where it should."""
    try:
        parts = urlsplit(url)
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
        is_address = parts.scheme in BROKER_SCHEMES and (
            parts.scheme == "unix"
            or (all(host.hostname for host in hosts) and (parts.scheme == "sentinel" or not hosts[1:]))
        )
        [host.port for host in hosts]
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError(
            "is no address of a broker: write redis://HOST:PORT/0 or sentinel://HOST:PORT,HOST:PORT/0?master=NAME, and "
            "its password in REDIS_PASSWORD, or percent-encoded before the host"
        )


def with_password(url: str, password: str) -> str:
    """The address of a broker with this password, percent-encoded, unless it has one already."""
    parts = urlsplit(url)
    before, _, host = parts.netloc.rpartition("@")
    if ":" in before or parts.scheme not in ("redis", "rediss", "sentinel"):
        return url
    return urlunsplit(parts._replace(netloc=f"{before}:{quote(password, safe='')}@{host}"))
