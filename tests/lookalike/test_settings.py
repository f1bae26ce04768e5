"""Settings come from the environment, what is given wins, and every fault is told at once with its variable."""

import pytest

from lookalike.errors import Misconfigured
from lookalike.settings import Settings, read_settings, variable_of


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_of(field), raising=False)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_SETTLE_S", "2.5")
    monkeypatch.setenv("REDIS_URL", "redis://host/1")
    monkeypatch.setenv("LOOKALIKE_IGNORE", "raw/*, *.draft.jpg")

    settings = read_settings()

    assert settings.settle_s == 2.5
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://host/1"
    assert settings.ignore == ("raw/*", "*.draft.jpg")


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_DISTANCE", "dot")

    assert read_settings(distance="euclid").distance == "euclid"
    assert read_settings(distance=None).distance == "dot"


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_DATA", "")

    assert read_settings().data is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOOKALIKE_DISTANCE", "hamming"),
        ("LOOKALIKE_NAME", "a b"),
        ("LOOKALIKE_BATCH_PATHS", "0"),
        ("LOOKALIKE_BATCH_PATHS", "1001"),
        ("LOOKALIKE_SETTLE_S", "0"),
        ("LOOKALIKE_MAX_IMAGE_PIXELS", "many"),
        ("LOOKALIKE_FLOWER_PORT", "70000"),
        ("LOOKALIKE_FLOWER_AUTH", "nocolon"),
    ],
)
def test_a_value_that_cannot_be_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(Misconfigured, match=variable):
        read_settings()


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_POLL_S", "-1")
    monkeypatch.setenv("LOOKALIKE_INGEST_PROCESSES", "0")

    with pytest.raises(Misconfigured, match=r"LOOKALIKE_POLL_S.*LOOKALIKE_INGEST_PROCESSES"):
        read_settings()


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@host")
    monkeypatch.setenv("LOOKALIKE_FLOWER_AUTH", "me:hunter2")
    monkeypatch.setenv("QDRANT_API_KEY", "hunter2")

    assert "hunter2" not in repr(read_settings())
