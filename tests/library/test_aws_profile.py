from datetime import UTC, datetime
from pathlib import Path

import pytest

from lookalike.errors import Misconfigured
from lookalike.library.buckets.aws_profile import READ_EVERY, profile_of

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def write(home: Path, name: str, text: str) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws" / name).write_text(text)


def test_the_named_profile_gives_keys_region_and_endpoint(tmp_path: Path) -> None:
    write(tmp_path, "credentials", "[work]\naws_access_key_id = A\naws_secret_access_key = S\naws_session_token = T\n")
    write(tmp_path, "config", "[profile work]\nregion = eu-west-1\nendpoint_url = http://minio:9000\n")

    found = profile_of({"HOME": str(tmp_path), "AWS_PROFILE": "work"}, lambda: NOW)

    assert (found.region, found.endpoint_url) == ("eu-west-1", "http://minio:9000")
    assert found.keys is not None
    assert found.keys() == {
        "access_key_id": "A",
        "secret_access_key": "S",
        "token": "T",
        "expires_at": NOW + READ_EVERY,
    }


def test_keys_that_are_renewed_are_read_again(tmp_path: Path) -> None:
    write(tmp_path, "credentials", "[default]\naws_access_key_id = A\naws_secret_access_key = S\n")
    keys = profile_of({"HOME": str(tmp_path)}).keys
    assert keys is not None

    write(tmp_path, "credentials", "[default]\naws_access_key_id = B\naws_secret_access_key = S\n")

    assert keys()["access_key_id"] == "B"


def test_keys_of_the_environment_come_first(tmp_path: Path) -> None:
    write(tmp_path, "credentials", "[default]\naws_access_key_id = A\naws_secret_access_key = S\n")

    assert profile_of({"HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "S"}).keys is None


def test_half_of_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="only AWS_ACCESS_KEY_ID is set: set both, or neither"):
        profile_of({"HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "E"})


def test_without_files_the_machines_own_role_is_left_to_the_store(tmp_path: Path) -> None:
    assert profile_of({"HOME": str(tmp_path)}).keys is None


def test_a_profile_without_keys_of_its_own_is_refused_with_what_helps(tmp_path: Path) -> None:
    write(tmp_path, "config", "[profile sso]\nsso_session = work\n")

    with pytest.raises(Misconfigured, match="aws configure export-credentials --profile sso"):
        profile_of({"HOME": str(tmp_path), "AWS_PROFILE": "sso"})
