"""How a store is reached: its address, and the proxy and certificates of the environment that apply to it.

Our own store, and any on loopback, is reached directly whatever the environment says. For a store elsewhere the
variables mean what they mean to curl: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (also in small letters),
SSL_CERT_FILE, SSL_CERT_DIR and REQUESTS_CA_BUNDLE. HTTP libraries read them by themselves, every one a little
differently, and fail with an exception of their own over one that they do not understand even where it is not for
this address; so they are read here, and handed on as arguments. LOOKALIKE_QDRANT_CA wins over the certificates of the
environment, and counts on loopback too, where a tunnel may end.
"""

import ipaddress
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from lookalike.errors import Misconfigured

# What stands behind https is mostly a proxy; Qdrant itself listens on 6333.
DEFAULT_PORTS = {"http": 6333, "https": 443}
# As GNOME and some VPN programs write it; the name is left to the proxy to look up.
MEANT = {"socks": "socks5h"}
PROXIES = ("http", "https", "socks5", "socks5h")
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
CERTIFICATE_FOLDERS = "SSL_CERT_DIR"
CA_SETTING = "LOOKALIKE_QDRANT_CA"
# On a kept connection a Qdrant server sends a compressed answer in several small packets, each of which waits for the
# acknowledgement of the one before: 44 ms in place of 1.5 for 100 answers of 26 kB (server 1.16.3).
UNCOMPRESSED = {"accept-encoding": "identity"}


@dataclass(frozen=True)
class StoreAccess:
    """Where the store is, without a trailing slash and with its port, and the proxy on the way to it."""

    url: str
    host: str
    port: int
    proxy: str | None = None
    certificates: str | None = None
    certificates_folder: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(self.host)

    def http_arguments(self) -> dict[str, Any]:
        """Arguments of an httpx client, which then reads nothing from the environment itself."""
        # Without TLS no authority is trusted, in place of the 3 MiB of those that httpx knows.
        verify: ssl.SSLContext | bool = (
            True if self.url.startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        if self.certificates is not None or self.certificates_folder is not None:
            verify = ssl.create_default_context(cafile=self.certificates, capath=self.certificates_folder)
        return {"trust_env": False, "proxy": self.proxy, "verify": verify, "headers": UNCOMPRESSED}

    def grpc_options(self) -> dict[str, Any]:
        """Options of a gRPC channel. Raises Misconfigured for a proxy that gRPC does not know."""
        if self.proxy is not None and not self.proxy.startswith("http"):
            raise Misconfigured(
                f"gRPC knows no SOCKS proxy, and the environment names one for {self.host}: unset "
                f"LOOKALIKE_QDRANT_GRPC, or add {self.host} to NO_PROXY."
            )
        options: dict[str, Any] = {} if self.proxy is not None else {"grpc.enable_http_proxy": 0}
        if self.certificates is not None:
            options["root_certificates"] = Path(self.certificates).read_bytes()
        return options


def store_access(url: str, environment: Mapping[str, str], ca: Path | None = None) -> StoreAccess:
    """How to reach the store at QDRANT_URL, whose certificate `ca` signed if it is given.

    Raises Misconfigured, naming the variable that is at fault.
    """
    parts = _parsed(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    whole = f"{parts.scheme}://{shown}:{port}{parts.path.rstrip('/')}"
    proxy = None if is_loopback(host) else _proxy(parts.scheme, host, port, environment)
    if parts.scheme == "http":
        return StoreAccess(whole, host, port, proxy)
    if ca is not None:
        return StoreAccess(whole, host, port, proxy, _authority(ca, host))
    if is_loopback(host):
        return StoreAccess(whole, host, port)
    return StoreAccess(whole, host, port, proxy, *_certificates(host, environment))


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (it is looked at when it is asked for)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise Misconfigured("QDRANT_URL is no address of a store: write http://HOST:PORT or https://HOST:PORT.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise Misconfigured(
            "QDRANT_URL is more than an address and a path: write https://HOST:PORT/PATH, and a key in QDRANT_API_KEY."
        )
    return parts


def _proxy(scheme: str, host: str, port: int, environment: Mapping[str, str]) -> str | None:
    variable, value = _variable(environment, f"{scheme}_proxy", "all_proxy")
    if not value or _is_excepted(host, port, _variable(environment, "no_proxy")[1]):
        return None
    kind, found, rest = value.partition("://")
    kind, rest = (MEANT.get(kind.lower(), kind.lower()), rest) if found else ("http", value)
    if kind not in PROXIES:
        raise Misconfigured(
            f"{variable} names a {kind} proxy, which cannot be used for the store at {host}: write http://, "
            f"https:// or socks5:// there, or add {host} to NO_PROXY."
        )
    if not _is_address(f"{kind}://{rest}"):
        raise Misconfigured(
            f"{variable} is no address of a proxy: write {kind}://HOST:PORT, with a password percent-encoded, "
            f"or add {host} to NO_PROXY."
        )
    return f"{kind}://{rest}"


def _is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host: by a suffix of its name, with its port, or by a range of addresses."""
    names = [name.strip().lower() for name in no_proxy.split(",") if name.strip()]
    if any(name == "*" or _is_below(host, name.removesuffix(f":{port}")) for name in names):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for name in names:
        with suppress(ValueError):
            if address in ipaddress.ip_network(name.strip("[]"), strict=False):
                return True
    return False


def _is_below(host: str, name: str) -> bool:
    bare = name.lstrip("*.")
    return host == bare or host.endswith(f".{bare}")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0) and not set("#?") & set(url)
    except ValueError:
        return False


def _certificates(host: str, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    file = None
    for variable in CERTIFICATES:
        if value := environment.get(variable):
            file = value
            if not Path(value).is_file():
                raise Misconfigured(_missing(variable, value, "file", host))
            break
    folder = environment.get(CERTIFICATE_FOLDERS) or None
    if file is None and folder is not None and not any(Path(each).is_dir() for each in folder.split(":")):
        raise Misconfigured(_missing(CERTIFICATE_FOLDERS, folder, "folder", host))
    return file, folder


def _authority(file: Path, host: str) -> str:
    """The file of LOOKALIKE_QDRANT_CA. Raises Misconfigured if no certificate can be read from it."""
    if not file.is_file():
        raise Misconfigured(_missing(CA_SETTING, str(file), "file", host))
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:
        # ssl.SSLError is one.
        raise Misconfigured(
            f"{CA_SETTING} is {file}, from which no certificate can be read ({error.strerror or error}): "
            "name a file in PEM form, which begins with -----BEGIN CERTIFICATE-----."
        ) from error
    return str(file)


def _missing(variable: str, value: str, kind: str, host: str) -> str:
    return (
        f"{variable} is {value}, and there is no such {kind}: the certificate of the store at {host} cannot be "
        f"checked. Correct {variable} or unset it."
    )


def _variable(environment: Mapping[str, str], *names: str) -> tuple[str, str]:
    """The first of the variables that says something, and what; small letters win, as everywhere."""
    for name in names:
        for spelling in (name, name.upper()):
            if environment.get(spelling):
                return spelling, environment[spelling]
    return "", ""
