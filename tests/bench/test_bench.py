"""What the bench says follows from what it measured, and what it measures with is what it says."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.photos import many, write_many
from bench.plot import plot
from bench.recall import Setting, measure
from bench.results import Results
from bench.rivals.bare import decode
from models.contract import read_card
from tests.support.pictures import encoded, picture
from tests.support.shipped import SHIPPED
from worker.index.collection_options import CollectionOptions
from worker.inference.decoder import decode_image, enable_formats


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(picture(1, (640, 480)), "JPEG", quality=90))
    return path


def test_each_file_is_another_one_with_the_same_pixels(jpeg: Path, tmp_path: Path) -> None:
    blobs = list(many([jpeg], 3))
    paths = write_many([jpeg], 3, tmp_path / "many")

    assert len(set(blobs)) == 3
    assert [path.read_bytes() for path in paths] == blobs
    assert len({Image.open(io.BytesIO(blob)).convert("RGB").tobytes() for blob in blobs}) == 1


def test_the_bare_loop_feeds_the_model_what_the_worker_feeds_it(jpeg: Path) -> None:
    enable_formats()
    card, blob = read_card(SHIPPED), jpeg.read_bytes()

    assert np.array_equal(decode(blob, card), decode_image(blob, card, max_pixels=10**7).pixels)


def test_a_ratio_is_of_two_figures_and_says_whether_it_is_met() -> None:
    results = Results()
    results.add("bare loop, shipped, 1 MP", 200.0)
    results.add("whole pipeline, shipped, 1 MP", 150.0)
    results.quantiles("search through the queue, 10,000 points", [10.0] * 99 + [50.0])
    results.quantiles("search in process, 10,000 points", [8.0] * 100)

    found = {ratio.name: (ratio.value, ratio.is_met) for ratio in results.ratios()}

    assert found == {
        "pipeline : bare loop, shipped, 1 MP": (0.75, False),
        "queue : in process, 10,000 points, p50 ms": (1.25, True),
        "queue : in process, 10,000 points, p95 ms": (1.25, True),
    }


def test_what_no_queue_could_reach_on_this_machine_is_called_so() -> None:
    results = Results()
    results.add("tutorials' recipe, ResNet-50, 1 MP", 40.0)
    results.add("whole pipeline, ResNet-50, 1 MP", 100.0)

    results.add("bare loop, ResNet-50, 1 MP", 130.0)
    (within,) = [ratio.verdict for ratio in results.ratios() if ratio.name.startswith("pipeline : recipe")]
    results.add("bare loop, ResNet-50, 1 MP", 110.0)
    (beyond,) = [ratio.verdict for ratio in results.ratios() if ratio.name.startswith("pipeline : recipe")]

    assert (within, beyond) == ("missed", "missed; the bare loop has 2.75")


def test_the_plot_has_a_bar_for_each_way_that_was_measured(tmp_path: Path) -> None:
    figures = {
        "tutorials' recipe, ResNet-50, 1 MP": 20.0,
        "whole pipeline, ResNet-50, 1 MP": 80.0,
        "whole pipeline, shipped, 1 MP": 200.0,
    }

    plot(figures, tmp_path / "plot.svg")

    drawn = (tmp_path / "plot.svg").read_text("utf-8")
    assert drawn.count("<rect") == 1 + len(figures)
    assert "10.0x  200 images/s" in drawn


def test_recall_is_the_share_that_an_exact_search_finds() -> None:
    points = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)

    rows = list(measure(Setting("exact", CollectionOptions(), (0,)), points, points[:20]))

    assert [(row["recall_at_10"], row["points"]) for row in rows] == [(1.0, 300)]
