"""How a store is reached: what URLs, proxies and certificates mean, and which sentence tells what is wrong."""

import ssl
from pathlib import Path

import httpx
import pytest

from lookalike.errors import Misconfigured
from lookalike.system.store_access import is_loopback, store_access

FAR = "http://store.example.com:6333"


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("http://qdrant", "http://qdrant:6333"),
        ("http://qdrant:80/", "http://qdrant:80"),
        ("https://qdrant.example.com", "https://qdrant.example.com:443"),
        ("https://qdrant.example.com/behind/a/proxy/", "https://qdrant.example.com:443/behind/a/proxy"),
        ("http://[::1]:6333", "http://[::1]:6333"),
    ],
)
def test_an_address_gets_its_port_and_keeps_its_prefix(url: str, meant: str) -> None:
    assert store_access(url, {}).url == meant


@pytest.mark.parametrize("url", ["", "qdrant:6333", "redis://qdrant", "http://", "http://host:port", "http://[bad"])
def test_what_is_no_address_is_told_as_such(url: str) -> None:
    with pytest.raises(Misconfigured, match="QDRANT_URL is no address"):
        store_access(url, {})


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@qdrant", "https://qdrant?api-key=hunter2", "https://qdrant#hunter2"]
)
def test_what_would_be_left_out_of_an_address_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(Misconfigured, match="QDRANT_API_KEY") as refused:
        store_access(url, {})

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "[::1]", "store.localhost"])
@pytest.mark.parametrize(
    "environment",
    [
        {"HTTP_PROXY": "http://proxy:3128", "http_proxy": "http://proxy:3128"},
        {"ALL_PROXY": "socks4://proxy:1"},
        {"all_proxy": "::::"},
        {"SSL_CERT_FILE": "/nonexistent", "SSL_CERT_DIR": "/nonexistent", "REQUESTS_CA_BUNDLE": "/nonexistent"},
    ],
)
def test_nothing_in_the_environment_touches_a_store_of_this_machine(host: str, environment: dict[str, str]) -> None:
    access = store_access(f"http://{host}:6333", environment)

    assert access.proxy is None
    with httpx.Client(**access.http_arguments()) as client:
        assert not client.trust_env


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"http_proxy": "proxy:3128", "HTTP_PROXY": "http://other:1"}, "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://proxy:3128"}, None),
        ({"ALL_PROXY": "socks5://proxy:1080"}, "socks5://proxy:1080"),
        ({"ALL_PROXY": "socks5h://proxy:1080"}, "socks5h://proxy:1080"),
        ({"ALL_PROXY": "socks://proxy:1080/"}, "socks5h://proxy:1080/"),
        ({"ALL_PROXY": "socks4://proxy:1", "HTTP_PROXY": "http://me:pw@proxy:1"}, "http://me:pw@proxy:1"),
        ({"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "example.com"}, None),
        ({"HTTP_PROXY": "http://proxy:1", "NO_PROXY": ".example.com:6333"}, None),
        ({"HTTP_PROXY": "http://proxy:1", "no_proxy": "a, *"}, None),
        ({"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "ample.com"}, "http://proxy:1"),
    ],
)
def test_proxies_mean_what_they_mean_to_other_programs(environment: dict[str, str], proxy: str | None) -> None:
    access = store_access(FAR, environment)

    assert access.proxy == proxy
    with httpx.Client(**access.http_arguments()):
        pass


@pytest.mark.parametrize(("no_proxy", "is_direct"), [("10.0.0.0/8", True), ("10.1.2.3", True), ("10.0.0.0/16", False)])
def test_a_range_of_addresses_may_be_excepted(no_proxy: str, *, is_direct: bool) -> None:
    access = store_access("http://10.1.2.3", {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": no_proxy})

    assert (access.proxy is None) == is_direct


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ALL_PROXY": "socks4://proxy:1"}, "ALL_PROXY names a socks4 proxy"),
        ({"HTTP_PROXY": "http://[bad"}, "HTTP_PROXY is no address of a proxy"),
        ({"http_proxy": "http://me:p#ss@proxy:1"}, "http_proxy is no address of a proxy"),
        ({"HTTP_PROXY": "http://proxy:port"}, "HTTP_PROXY is no address of a proxy"),
        ({"ALL_PROXY": "socks5://"}, "ALL_PROXY is no address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_sentence_with_its_variable(environment: dict[str, str], said: str) -> None:
    with pytest.raises(Misconfigured, match="NO_PROXY") as refused:
        store_access(FAR, environment)

    assert said in str(refused.value)
    assert "p#ss" not in str(refused.value)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"])
def test_certificates_count_for_tls_elsewhere_alone(variable: str, tmp_path: Path) -> None:
    environment = {variable: str(tmp_path / "none")}

    assert store_access(FAR, environment).certificates is None
    with pytest.raises(Misconfigured, match=f"{variable} is .*none, and there is no such"):
        store_access("https://store.example.com", environment)


def test_certificates_that_are_there_are_used(tmp_path: Path) -> None:
    file = tmp_path / "certificates.pem"
    file.touch()

    access = store_access("https://store.example.com", {"SSL_CERT_FILE": str(file)})

    assert access.certificates == str(file)
    with pytest.raises(ssl.SSLError):
        # It is really read: an empty file holds no certificate.
        access.http_arguments()


def test_grpc_goes_through_http_proxies_only_and_never_to_itself() -> None:
    assert store_access("http://127.0.0.1", {"HTTP_PROXY": "http://proxy:1"}).grpc_options() == {
        "grpc.enable_http_proxy": 0
    }
    assert store_access(FAR, {"HTTP_PROXY": "http://proxy:1"}).grpc_options() == {}
    with pytest.raises(Misconfigured, match="gRPC knows no SOCKS proxy"):
        store_access(FAR, {"ALL_PROXY": "socks5://proxy:1"}).grpc_options()


def test_loopback_is_told_by_address_and_not_by_how_a_name_begins() -> None:
    assert not is_loopback("127.0.0.1.example.com")
    assert not is_loopback("localhost.example.com")
    assert not is_loopback("10.0.0.1")
