"""A model that is not used is given up and its memory returned; the next run has it again, and the same one only."""

import shutil
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lookalike import Client
from lookalike.settings import read_settings
from tests.support.edge import edge_process
from tests.support.pictures import draw
from tests.support.tiny_model import tiny_model
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import worker_environment, worker_process
from worker.errors import Unfit
from worker.inference.embedder import Embedder
from worker.inference.providers import CPU, open_session
from worker.inference.resting import RestingSession

IMAGE = np.full((32, 32, 3), 90, np.uint8)


def resting(model: Path, after_s: float) -> tuple[Embedder, Callable[[], bool]]:
    embedder = Embedder(model, inference_batch=2, rests_after_s=after_s)
    assert embedder.session is not None
    return embedder, lambda: embedder.session is not None and embedder.session.is_loaded


def test_a_model_is_given_up_after_a_rest_and_the_next_run_has_the_same_one(model: Path) -> None:
    embedder, is_loaded = resting(model, 0.05)
    before = embedder.embed([IMAGE])

    wait_until(lambda: not is_loaded())
    again = embedder.embed([IMAGE])

    assert np.array_equal(before, again)
    wait_until(lambda: not is_loaded())


def test_the_rest_begins_with_the_last_run(model: Path) -> None:
    now_s = 0.0
    session = RestingSession(open_session(model, CPU), lambda: open_session(model, CPU), 600.0, lambda: now_s)
    session.run(["embedding"], {"image": IMAGE[None]})
    now_s = 400.0
    session.run(["embedding"], {"image": IMAGE[None]})
    now_s = 700.0

    assert session.rest_if_due() == 300.0
    assert session.is_loaded
    now_s = 1000.0
    assert session.rest_if_due() == 0.0
    assert not session.is_loaded


def test_without_a_rest_no_thread_is_started(model: Path) -> None:
    before = set(threading.enumerate())

    Embedder(model, inference_batch=2).embed([IMAGE])

    assert set(threading.enumerate()) <= before


def test_a_model_that_nobody_has_any_more_is_not_kept_for_its_rest(model: Path) -> None:
    embedder = Embedder(model, inference_batch=2, rests_after_s=600.0)
    embedder.embed([IMAGE])
    assert embedder.session is not None
    gone = weakref.ref(embedder.session)

    del embedder

    wait_until(lambda: gone() is None)


@pytest.mark.parametrize("change", ["another model", "no model", "no ONNX"])
def test_another_model_in_its_place_is_refused_until_the_former_one_is_back(
    model: Path, tmp_path: Path, change: str
) -> None:
    file = tmp_path / "model.onnx"
    shutil.copyfile(model, file)
    embedder, is_loaded = resting(file, 0.05)
    before = embedder.embed([IMAGE])
    wait_until(lambda: not is_loaded())
    file.unlink()
    if change == "another model":
        tiny_model(file, seed=1, copies=True)
    elif change == "no ONNX":
        file.write_bytes(b"no ONNX")

    with pytest.raises(Unfit, match=r"put (it|the former one) back, or restart"):
        embedder.embed([IMAGE])
    shutil.copyfile(model, file)
    assert np.array_equal(before, embedder.embed([IMAGE]))


def test_ingest_and_searches_give_their_models_up_and_have_them_again_for_what_comes(
    tmp_path: Path, model: Path
) -> None:
    draw(tmp_path / "library" / "1.png", 1)
    draw(tmp_path / "library" / "2.png", 2)
    with valkey_process(tmp_path) as url, edge_process(tmp_path / "store") as edge:
        environment = worker_environment(
            REDIS_URL=url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=tmp_path / "library",
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_INGEST_IDLE_S="0.2",
            LOOKALIKE_SEARCH_IDLE_S="0.2",
        )
        with (
            worker_process(tmp_path / "ingest.log", environment, queues="lookalike:ingest") as ingest,
            worker_process(tmp_path / "search.log", environment, queues="lookalike:search", name="search") as search,
            Client(read_settings(redis_url=url)) as client,
        ):
            for name in ("1.png", "2.png"):
                rests = ingest.said().count("model loaded again") + 1
                wait_until(lambda rests=rests: ingest.said().count("model given up") == rests)  # type: ignore[misc]
                client.sync([name]).result(timeout_s=30)
            wait_until(lambda: "model given up" in search.said())
            found = client.search(tmp_path / "library" / "1.png", 2).result(timeout_s=30)
            said = ingest.said(), search.said()

    assert {neighbour.path for neighbour in found} == {"1.png", "2.png"}
    assert said[0].count("model loaded again") == 2
    assert said[1].count("model loaded again") == 1
