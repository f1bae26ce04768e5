"""What Prometheus is told of a running system: it parses, and adds up to the index and to the messages."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lookalike import Refused, Unreachable
from lookalike.broker.measurements import Measurements
from lookalike.exporter import metrics_text
from lookalike.settings import Settings, read_settings
from tests.support.waiting import wait_until
from tests.worker.tasks.conftest import System, held_by_the_worker, known, stopped


def read(settings: Settings) -> dict[str, float]:
    """Each sample by its name and the values of its labels."""
    families = text_string_to_metric_families(metrics_text(settings))
    samples = [sample for family in families for sample in family.samples]
    return {":".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


def grown(before: dict[str, float], after: dict[str, float], name: str) -> float:
    return after[name] - before.get(name, 0.0)


def test_files_and_stages_add_up_to_what_the_index_has(system: System) -> None:
    before, had = read(system.settings), len(known(system))
    names = [system.path(seed, f"measured {seed}.png") for seed in range(920, 925)]
    (system.root / "measured copy.png").write_bytes((system.root / names[0]).read_bytes())
    (system.root / "measured broken.png").write_bytes(b"nothing")
    names += ["measured copy.png", "measured broken.png"]

    done = system.client.sync(names).result(timeout_s=20)

    after = read(system.settings)
    outcomes = {kind: grown(before, after, f"lookalike_images_total:{kind}") for kind in ("embedded", "rejected")}
    outcomes["copied"] = grown(before, after, "lookalike_images_total:copied")
    assert outcomes == {"embedded": 5, "copied": 1, "rejected": 1}
    assert (done.embedded, done.copied, done.rejected) == (5, 1, 1)
    assert sum(outcomes.values()) == len(known(system)) - had
    observed = {
        stage: grown(before, after, f"lookalike_stage_seconds_count:{stage}")
        for stage in ("read", "decode", "embed", "upsert")
    }
    assert observed == {"read": 7, "decode": 6, "embed": 1, "upsert": 1}
    assert all(grown(before, after, f"lookalike_stage_seconds_sum:{stage}") > 0 for stage in observed)
    assert grown(before, after, "lookalike_batch_files_bucket:8.0") == 1
    assert grown(before, after, "lookalike_batch_files_bucket:4.0") == 0
    assert grown(before, after, "lookalike_batch_files_sum") == 7


def test_a_file_that_is_unchanged_is_counted_as_that(system: System) -> None:
    name = system.path(930, "measured twice.png")
    system.client.sync([name]).result(timeout_s=20)
    before = read(system.settings)

    system.client.sync([name]).result(timeout_s=20)

    after = read(system.settings)
    assert grown(before, after, "lookalike_images_total:unchanged") == 1
    assert grown(before, after, "lookalike_images_total:embedded") == 0


def test_searches_are_counted_by_whether_they_were_answered(system: System) -> None:
    name = system.path(931, "searched and measured.png")
    system.client.sync([name]).result(timeout_s=20)
    before = read(system.settings)

    system.client.search(name, limit=1).result(timeout_s=20)
    with pytest.raises(Refused, match="cannot be searched with"):
        system.client.search(b"nothing", limit=1, scaled=False).result(timeout_s=20)

    # Counted once the answer is stored, so a moment after it came.
    wait_until(lambda: grown(before, read(system.settings), "lookalike_searches_total:failed") == 1)
    after = read(system.settings)
    assert grown(before, after, "lookalike_searches_total:answered") == 1
    assert grown(before, after, "lookalike_stage_seconds_count:search") == 2


def test_what_waits_and_what_a_worker_holds_is_the_backlog_and_grows_old(system: System) -> None:
    names = [system.path(seed, f"waits {seed}.png") for seed in range(940, 943)]
    with stopped(system):
        jobs = [system.client.sync([name]) for name in names]
        first = read(system.settings)
        second = read(system.settings)
    for job in jobs:
        job.result(timeout_s=20)

    waiting = first["lookalike_queue_messages:ingest"] + first["lookalike_unacknowledged_messages:ingest"]
    # One may be on its way to the worker, whose request for a message the broker has answered.
    assert 2 <= waiting <= 3
    assert first["lookalike_backlog_files"] == waiting
    age = "lookalike_oldest_message_age_seconds:ingest"
    assert 0 < first[age] < second[age]

    def is_done() -> bool:
        # A worker acknowledges a message after its answer.
        last = read(system.settings)
        return (last["lookalike_backlog_files"], last[age]) == (0, 0)

    wait_until(is_done)


def test_a_message_that_a_worker_holds_has_its_age_too(system: System) -> None:
    # The decoder takes 0.2 s and more for each picture of this width.
    names = [system.path(seed, f"slow {seed}.png", width=68) for seed in range(950, 954)]
    job = system.client.sync(names)
    wait_until(lambda: bool(system.redis.hlen(held_by_the_worker(system.redis, system.settings.keys))))

    now = read(system.settings)

    job.result(timeout_s=20)
    assert now["lookalike_unacknowledged_messages:ingest"] == 1
    assert now["lookalike_backlog_files"] == 4
    assert now["lookalike_oldest_message_age_seconds:ingest"] > 0


def test_numbers_that_cannot_be_written_fail_no_sync_and_no_search(system: System) -> None:
    key = system.settings.keys.metrics
    kept = system.redis.dump(key)
    system.redis.set(key, "of another program")
    try:
        name = system.path(960, "not counted.png")
        done = system.client.sync([name]).result(timeout_s=20)
        found = system.client.search(name, limit=1).result(timeout_s=20)
    finally:
        system.redis.delete(key)
        if kept is not None:
            system.redis.restore(key, 0, kept)

    assert done.embedded + done.copied == 1
    assert len(found) == 1
    wait_until(lambda: "a batch is not counted" in system.worker.said())


def test_a_start_of_a_worker_is_counted(system: System) -> None:
    assert read(system.settings)["lookalike_starts_total:ingest"] == 1


def test_without_a_broker_a_sentence_tells_so() -> None:
    with pytest.raises(Unreachable, match="The broker does not answer"):
        metrics_text(read_settings(redis_url="redis://127.0.0.1:9/0"))


def test_a_histogram_keeps_each_observation_in_one_bucket_and_an_empty_one_writes_nothing() -> None:
    times = iter([0.0, 0.02, 1.0, 101.0])
    measurements = Measurements(now_s=lambda: next(times))
    assert not measurements

    with measurements.timed("read"):
        pass
    with pytest.raises(ZeroDivisionError), measurements.timed("read"):
        _ = 1 / 0
    measurements.count("images", "embedded", 0)

    assert dict(measurements.take()) == {
        "stage_seconds:read:0.025": 1,
        "stage_seconds:read:inf": 1,
        "stage_seconds:read:sum": pytest.approx(100.02),
    }
    assert not measurements.take()
