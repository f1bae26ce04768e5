"""What a URL says of TLS and of sentinels, taken apart for Celery and redis-py."""

import ssl

import pytest

from lookalike.broker.address import BrokerAddress, without_secret
from lookalike.errors import Misconfigured


def test_a_certificate_is_checked_unless_the_url_says_otherwise() -> None:
    address = BrokerAddress.parse("rediss://:pw@h:6379/0")
    assert (address.celery_url, address.tls) == ("rediss://:pw@h:6379/0", {"ssl_cert_reqs": ssl.CERT_REQUIRED})
    trusting = BrokerAddress.parse("rediss://h/0?ssl_cert_reqs=none&ssl_check_hostname=false")
    assert trusting.tls == {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}


def test_certificates_are_taken_from_the_url_and_the_rest_of_it_stays() -> None:
    address = BrokerAddress.parse("rediss://h/0?ssl_ca_certs=%2Fa%20b.pem&socket_timeout=3")

    assert address.celery_url == "rediss://h/0?socket_timeout=3"
    assert address.tls == {"ssl_ca_certs": "/a b.pem", "ssl_cert_reqs": ssl.CERT_REQUIRED}


def test_without_tls_nothing_is_said() -> None:
    address = BrokerAddress.parse("redis://h/0?ssl=1")
    assert (address.celery_url, address.tls, address.transport_options) == ("redis://h/0?ssl=1", None, {})


def test_a_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Misconfigured, match="ssl_cert_reqs"):
        BrokerAddress.parse("rediss://h/0?ssl_cert_reqs=maybe")


def test_what_is_shown_has_neither_password_nor_options() -> None:
    assert without_secret("rediss://:pw@h:1/0?ssl_keyfile=/k") == "rediss://h:1/0"


def test_sentinels_become_one_address_each_for_celery() -> None:
    address = BrokerAddress.parse("sentinel://:p%40w@a:1,[::1]:2,c/3?master=photos&sentinel_password=s%20p")

    assert address.celery_url == ("sentinel://:p%40w@a:1/3;sentinel://:p%40w@[::1]:2/3;sentinel://:p%40w@c:26379/3")
    assert address.sentinels == (("a", 1), ("::1", 2), ("c", 26379))
    assert address.transport_options == {"master_name": "photos", "sentinel_kwargs": {"password": "s p"}}
    known = address.redis(socket_timeout=3).connection_pool.connection_kwargs
    assert (known["password"], known["db"], known["socket_timeout"]) == ("p@w", 3, 3)


@pytest.mark.parametrize("url", ["sentinel://h:1/0", "sentinel://h:1/0?master=a&other=1"])
def test_sentinels_without_a_name_or_with_an_unknown_option_are_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="master=NAME"):
        BrokerAddress.parse(url)
