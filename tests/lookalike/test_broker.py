"""What a URL says of TLS, taken apart for Celery."""

import ssl

import pytest

from lookalike.broker.app import without_secret, without_tls
from lookalike.errors import Misconfigured


def test_a_certificate_is_checked_unless_the_url_says_otherwise() -> None:
    assert without_tls("rediss://:pw@h:6379/0") == ("rediss://:pw@h:6379/0", {"ssl_cert_reqs": ssl.CERT_REQUIRED})
    _, trusting = without_tls("rediss://h/0?ssl_cert_reqs=none&ssl_check_hostname=false")
    assert trusting == {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}


def test_certificates_are_taken_from_the_url_and_the_rest_of_it_stays() -> None:
    url, tls = without_tls("rediss://h/0?ssl_ca_certs=%2Fa%20b.pem&socket_timeout=3")

    assert url == "rediss://h/0?socket_timeout=3"
    assert tls == {"ssl_ca_certs": "/a b.pem", "ssl_cert_reqs": ssl.CERT_REQUIRED}


def test_without_tls_nothing_is_said() -> None:
    assert without_tls("redis://h/0?ssl=1") == ("redis://h/0?ssl=1", None)


def test_a_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Misconfigured, match="ssl_cert_reqs"):
        without_tls("rediss://h/0?ssl_cert_reqs=maybe")


def test_what_is_shown_has_neither_password_nor_options() -> None:
    assert without_secret("rediss://:pw@h:1/0?ssl_keyfile=/k") == "rediss://h:1/0"
