"""Secrets are checked where a service starts: refused in a sentence that shows nothing, or encoded if that will do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.broker.app import redis_of
from lookalike.errors import Misconfigured
from lookalike.settings import read_settings
from tests.support.valkey import valkey_process

ROOT = Path(__file__).resolve().parents[3]
SECRET = "hunter2"
FLOWER = ("--app", "lookalike.flower_app", "flower", "--port=0")
WORKER = ("--app", "worker", "worker")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        # What compose makes of an unquoted me:$ecret9.
        ("LOOKALIKE_FLOWER_AUTH", "hunter2:", "user:password"),
        ("LOOKALIKE_FLOWER_AUTH", ":hunter2", "user:password"),
        ("LOOKALIKE_FLOWER_AUTH", "hunter2", "user:password"),
        ("LOOKALIKE_FLOWER_AUTH", "me:one,hunter2", "without a comma"),
        ("LOOKALIKE_FLOWER_AUTH", "me:hunter2\n", "ASCII"),
        ("LOOKALIKE_FLOWER_AUTH", "me:hunter2ü", "ASCII"),
        ("QDRANT_API_KEY", "hunter2ü", "ASCII"),
        ("QDRANT_API_KEY", "hunter2\t", "ASCII"),
        ("QDRANT_API_KEY", " hunter2", "ASCII"),
        ("REDIS_URL", "redis://:hunter2/x@redis:6379/0", "REDIS_PASSWORD"),
        ("REDIS_URL", "redis://:hunter2#x@redis:6379/0", "REDIS_PASSWORD"),
        ("REDIS_URL", "redis://:hunter2?x@redis:6379/0", "REDIS_PASSWORD"),
        ("REDIS_URL", "redis://:hunter2[x@redis:6379/0", "REDIS_PASSWORD"),
        ("REDIS_URL", "http://:hunter2@redis:6379/0", "REDIS_PASSWORD"),
    ],
)
def test_a_secret_that_cannot_work_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(Misconfigured, match=variable) as refused:
        read_settings()

    assert told in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("value", ["me:pass:word", "me:$ecret9", "me:pass word"])
def test_other_passwords_of_flower_are_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LOOKALIKE_FLOWER_AUTH", value)

    auth = read_settings().flower_auth

    assert auth is not None
    assert auth.get_secret_value() == value


@pytest.mark.parametrize("password", ["a/b", "a#b?c", "ä ö", "50%", "a@b:c", "'\"\\ $x"])
def test_any_password_of_the_broker_opens_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, password: str) -> None:
    with valkey_process(tmp_path) as url:
        monkeypatch.setenv("REDIS_URL", url)
        with redis_of(read_settings()) as redis:
            redis.config_set("requirepass", password)
        monkeypatch.setenv("REDIS_PASSWORD", password)

        with redis_of(read_settings()) as redis:
            assert redis.ping()


def test_the_password_of_a_url_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "other")
    monkeypatch.setenv("REDIS_URL", "redis://me:own@redis:6379/0")

    url = read_settings().redis_url

    assert url is not None
    assert url.get_secret_value() == "redis://me:own@redis:6379/0"


@pytest.mark.parametrize(
    ("program", "variable"), [(FLOWER, "LOOKALIKE_FLOWER_AUTH"), (WORKER, "QDRANT_API_KEY"), (FLOWER, "REDIS_URL")]
)
def test_each_program_of_celery_ends_with_that_sentence_alone(program: tuple[str, ...], variable: str) -> None:
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0", variable: "hunter2ü"}
    command = [sys.executable, "-m", "celery", *program]

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 1
    assert done.stderr.startswith(f"Settings are wrong: {variable}: ")
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stdout + done.stderr
