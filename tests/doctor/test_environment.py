"""What doctor finds of the environment: proxies, certificates, limits, the output, TMPDIR."""

import os
from pathlib import Path

import pytest

from lookalike.doctor.environment import check_certificates, check_other_variables, check_proxies
from lookalike.settings import Settings


@pytest.mark.parametrize(
    ("environment", "url", "state", "said"),
    [
        ({}, None, "ok", "none"),
        ({"ALL_PROXY": "socks://127.0.0.1:9"}, None, "ok", "reached directly all the same"),
        ({"ALL_PROXY": "socks4://127.0.0.1:9"}, "http://127.0.0.1:6333", "ok", "127.0.0.1 is reached directly"),
        ({"HTTP_PROXY": "http://me:secret@proxy:3128"}, "http://qdrant:6333", "ok", "through http://proxy:3128"),
        ({"ALL_PROXY": "socks4://127.0.0.1:9"}, "http://qdrant:6333", "broken", "ALL_PROXY names a socks4 proxy"),
    ],
)
def test_proxies_are_told_with_what_they_mean_for_the_store(
    environment: dict[str, str], url: str | None, state: str, said: str
) -> None:
    found = check_proxies(Settings(qdrant_url=url), environment)

    assert found.state == state
    assert said in f"{found.found} {found.remedy}"
    assert "secret" not in f"{found.found} {found.remedy}"


def test_certificates_that_are_not_there_are_told_by_their_variable(tmp_path: Path) -> None:
    there = {"SSL_CERT_DIR": f"{tmp_path / 'none'}{os.pathsep}{tmp_path}"}

    assert check_certificates({}).state == "ok"
    assert check_certificates(there).state == "ok"
    missing = check_certificates(there | {"SSL_CERT_FILE": str(tmp_path / "none")})
    assert (missing.state, "unset SSL_CERT_FILE" in (missing.remedy or "")) == ("warning", True)


def test_variables_of_other_programs_are_told_as_left_out(tmp_path: Path) -> None:
    (tmp_path / ".netrc").touch()

    assert "none of their variables" in check_other_variables({"HOME": str(tmp_path / "none")}).found
    told = check_other_variables({"CELERY_LOADER": "x", "PYTHONWARNINGS": "error", "HOME": str(tmp_path)})
    assert told.state == "ok"
    assert all(name in told.found for name in ("CELERY_LOADER", "PYTHONWARNINGS", ".netrc"))
