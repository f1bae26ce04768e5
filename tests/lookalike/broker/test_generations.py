"""What the broker and the data folder know of the generations of an index."""

from pathlib import Path

import pytest
from redis import Redis

from lookalike.broker.generations import Generation, GenerationState, Reindex
from lookalike.errors import Misconfigured
from lookalike.redis_keys import Keys
from lookalike.settings import read_settings
from lookalike.system.generation_file import GenerationFile, with_served

KEYS = Keys("photos")
OLD = Generation("resnet", "cosine", "photos-1")
NEW = Generation("/models/new.onnx", "euclid", "photos-2")


@pytest.fixture
def state(redis: Redis) -> GenerationState:
    return GenerationState(redis, KEYS, unix_s=lambda: 1000.0)


def test_what_was_asked_for_is_read_again(state: GenerationState) -> None:
    assert state.read() is None

    state.ask("new.onnx", "euclid", hold=True)
    state.update(state="filling", done=5, total=20, rate_per_s=2.5, eta_s=6.0, collection="photos-2")

    assert state.read() == Reindex(
        "new.onnx", "euclid", "filling", "fill", hold=True, asked_at=1000.0, done=5, total=20, rate_per_s=2.5,
        eta_s=6.0, collection="photos-2",
    )  # fmt: skip


def test_an_order_without_a_reindex_is_about_what_is_kept(state: GenerationState) -> None:
    state.order("drop")
    assert state.read() is None

    state.keep(OLD)
    state.order("drop")

    found = state.read()
    assert found is not None
    assert (found.order, found.state, found.model) == ("drop", "switched", "resnet")


def test_progress_that_comes_after_the_end_brings_nothing_back(state: GenerationState) -> None:
    state.ask("new.onnx", "euclid", hold=False)
    state.end()

    state.update(done=7)

    assert state.read() is None


def test_the_end_leaves_nothing_of_the_second_system(state: GenerationState, redis: Redis) -> None:
    redis.set("photos:total", "1")
    redis.lpush("photos-next:ingest", "message")
    redis.set("photos-next:index:trouble", "why")
    state.ask("new.onnx", "euclid", hold=False)
    state.announce(NEW)
    state.report_ready("a process")
    assert (state.count_ready(), state.coming()) == (1, NEW)

    state.end()

    assert redis.keys() == [b"photos:total"]


def test_the_data_folder_tells_a_broker_that_was_emptied(state: GenerationState, redis: Redis, tmp_path: Path) -> None:
    file = GenerationFile(tmp_path)
    file.save(state)
    assert not list(tmp_path.iterdir())
    state.serve(NEW)
    state.keep(OLD)
    state.ask("other.onnx", "cosine", hold=True)
    asked = state.read()
    file.save(state)
    redis.flushall()

    file.restore(state)

    kept = state.kept()
    assert (state.served(), state.read()) == (NEW, asked)
    assert kept is not None
    assert (kept.collection, kept.kept_since) == (OLD.collection, 1000.0)


def test_the_broker_wins_over_the_data_folder(state: GenerationState, tmp_path: Path) -> None:
    file = GenerationFile(tmp_path)
    state.serve(OLD)
    file.save(state)
    state.serve(NEW)

    file.restore(state)

    assert state.served() == NEW


def test_a_start_takes_the_model_that_was_switched_to_and_refuses_another(
    state: GenerationState, tmp_path: Path
) -> None:
    assert with_served(read_settings(model="resnet"), tmp_path).model == "resnet"
    state.serve(NEW)
    GenerationFile(tmp_path).save(state)

    found = with_served(read_settings(), tmp_path)
    assert (found.model, found.distance) == (NEW.model, NEW.distance)
    assert with_served(read_settings(model=NEW.model, distance=NEW.distance), tmp_path) == found
    with pytest.raises(Misconfigured, match=r"switched to the model '/models/new.onnx', and 'resnet' is set"):
        with_served(read_settings(model="resnet"), tmp_path)
    with pytest.raises(Misconfigured, match=r"leave out --distance and LOOKALIKE_DISTANCE"):
        with_served(read_settings(distance="dot"), tmp_path)


@pytest.mark.parametrize(("days", "order"), [(None, None), (2.5, None), (1.5, "drop")])
def test_what_was_kept_for_too_long_is_to_be_dropped(
    state: GenerationState, redis: Redis, days: float | None, order: str | None
) -> None:
    state.keep(OLD)

    later = GenerationState(redis, KEYS, unix_s=lambda: 1000.0 + 2 * 86_400)
    later.expire_kept(later.kept(), days)

    found = state.read()
    assert (None if found is None else found.order) == order


def test_what_is_under_way_comes_before_what_was_kept_for_too_long(state: GenerationState, redis: Redis) -> None:
    state.keep(OLD)
    state.ask("new.onnx", "euclid", hold=False)

    later = GenerationState(redis, KEYS, unix_s=lambda: 1e9)
    later.expire_kept(later.kept(), 1.0)

    found = state.read()
    assert found is not None
    assert (found.order, found.model) == ("fill", "new.onnx")
