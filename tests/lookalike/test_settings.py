"""Settings come from the environment, what is given wins, and every fault is told at once with its variable."""

import pytest

from lookalike.errors import Misconfigured
from lookalike.settings import Settings, read_settings, variable_of
from lookalike.settings.environment_check import FORMER_NAMES, OTHER_VARIABLES, PREFIX
from lookalike.system.process_guard import GUARDIAN


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
        ("LOOKALIKE_QDRANT_GRPC_PORT", "0"),
        ("LOOKALIKE_HNSW_THRESHOLD", "0"),
        ("LOOKALIKE_HNSW_EF", "0"),
        ("LOOKALIKE_QUANTIZATION", "int4"),
        ("LOOKALIKE_VECTORS_ON_DISK", "sometimes"),
        ("LOOKALIKE_SHARD_NUMBER", "0"),
        ("LOOKALIKE_REPLICATION_FACTOR", "0"),
        *(("LOOKALIKE_QUIET_HOURS", hours) for hours in ("8-18", "08:00", "08:00-24:00", "08:00-08:00", "a-b")),
        ("LOOKALIKE_INGEST_NICE", "20"),
        ("LOOKALIKE_INGEST_IDLE_S", "0"),
        ("LOOKALIKE_WRITE_CONSISTENCY_FACTOR", "0"),
        # More copies than there are.
        ("LOOKALIKE_WRITE_CONSISTENCY_FACTOR", "2"),
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


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("LOOKALIKE_SETLE_S", "LOOKALIKE_SETTLE_S"),
        ("LOOKALIKE_SETTLE", "LOOKALIKE_SETTLE_S"),
        ("LOOKALIKE_INGEST_PROCESS", "LOOKALIKE_INGEST_PROCESSES"),
        ("LOOKALIKE_LIBARY", "LOOKALIKE_LIBRARY"),
        ("LOOKALIKE_EXTENSION", "LOOKALIKE_EXTENSIONS"),
        ("lookalike_polls", "LOOKALIKE_POLL_S"),
        ("Lookalike_Distnace", "LOOKALIKE_DISTANCE"),
        *FORMER_NAMES.items(),
    ],
)
def test_a_name_that_is_no_setting_is_refused_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, variable: str, nearest: str
) -> None:
    monkeypatch.setenv(variable, "1")

    with pytest.raises(Misconfigured) as caught:
        read_settings()

    assert str(caught.value) == (
        f"Settings are wrong: {variable}: there is no such setting (did you mean {nearest}?). "
        "All settings are listed in docs/settings.md."
    )


def test_a_url_of_a_service_excuses_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_SETLE_S", "tcp://10.0.0.1:6379")

    with pytest.raises(Misconfigured, match="LOOKALIKE_SETTLE_S"):
        read_settings()


def test_where_no_name_is_near_the_list_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_ZZZZZZ", "1")

    with pytest.raises(Misconfigured) as caught:
        read_settings()

    assert str(caught.value) == (
        "Settings are wrong: LOOKALIKE_ZZZZZZ: there is no such setting. All settings are listed in docs/settings.md."
    )


def test_unknown_names_and_wrong_values_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_POLL_S", "-1")
    monkeypatch.setenv("LOOKALIKE_SETLE_S", "1")
    monkeypatch.setenv("LOOKALIKE_ZZZZZZ", "1")

    with pytest.raises(Misconfigured, match=r"LOOKALIKE_POLL_S.*LOOKALIKE_SETLE_S.*LOOKALIKE_ZZZZZZ"):
        read_settings()


def test_what_is_given_does_not_hide_an_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_SETLE_S", "1")

    with pytest.raises(Misconfigured, match="LOOKALIKE_SETTLE_S"):
        read_settings(settle_s=2.0)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *((name, "1") for name in sorted(OTHER_VARIABLES)),
        ("LOOKALIKE_SETLE_S", ""),
        ("LOOKALIKELY", "1"),
        ("MY_LOOKALIKE_SETLE_S", "1"),
        ("lookalike_settle_s", "1"),
        # What Kubernetes sets for services called "lookalike" and "lookalike-redis".
        ("LOOKALIKE_SERVICE_HOST", "10.0.0.1"),
        ("LOOKALIKE_SERVICE_PORT", "6379"),
        ("LOOKALIKE_REDIS_SERVICE_PORT_REDIS", "6379"),
        ("LOOKALIKE_REDIS_PORT", "tcp://10.0.0.1:6379"),
        ("LOOKALIKE_REDIS_PORT_6379_TCP", "tcp://10.0.0.1:6379"),
        ("LOOKALIKE_REDIS_PORT_6379_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_a_variable_that_is_no_slip_is_left_alone(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    read_settings()


def test_the_lists_name_what_exists() -> None:
    known = set(map(variable_of, Settings.model_fields))

    assert GUARDIAN in OTHER_VARIABLES
    assert set(FORMER_NAMES.values()) <= known
    assert not known & (OTHER_VARIABLES | set(FORMER_NAMES))
    assert all(name.startswith(PREFIX) for name in OTHER_VARIABLES | set(FORMER_NAMES))
