"""models/tools/pairs.py: precision and recall of pairs, by hand."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from models.contract import read_card
from models.tools.pairs import pair_figures, pair_report
from models.tools.thresholds import main


def test_the_best_recall_is_at_the_lowest_threshold_that_keeps_the_precision() -> None:
    right = np.array([True] * 200 + [False] * 2 + [True] * 50)
    scores = np.linspace(1, 0, len(right), dtype=np.float32)

    found = pair_figures(scores, right, threshold=0.5)

    # Both wrong pairs may be among them: 250 of 252 are more than .99.
    assert (found.recall_at_p99, found.threshold_at_p99) == (1.0, 0.0)
    assert found.recall == pytest.approx(126 / 250)
    assert found.precision == 1.0


def test_what_comes_behind_too_many_wrong_pairs_is_not_reached() -> None:
    right = np.array([True] * 100 + [False] * 10 + [True] * 100)
    found = pair_figures(np.linspace(1, 0, 210, dtype=np.float32), right, threshold=None)

    assert found.recall_at_p99 == 0.5
    assert (found.precision, found.recall) == (None, None)


def test_a_threshold_does_not_divide_equal_scores() -> None:
    right = np.array([True, True, False, True])

    found = pair_figures(np.array([0.75, 0.5, 0.5, 0.25], dtype=np.float32), right, threshold=0.5)

    assert found.recall_at_p99 == pytest.approx(1 / 3)
    assert found.threshold_at_p99 == 0.75
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)


def test_nothing_found_has_no_precision_and_nothing_to_find_is_refused() -> None:
    found = pair_figures(np.array([0.1, 0.2], dtype=np.float32), np.array([True, False]), threshold=0.9)

    assert (found.precision, found.recall, found.recall_at_p99) == (None, 0.0, 0.0)
    with pytest.raises(ValueError, match="no pair shows one photo"):
        pair_figures(np.array([0.1], dtype=np.float32), np.array([False]), threshold=None)


def test_copies_are_paired_with_their_photo_and_with_one_another() -> None:
    originals = np.eye(4, dtype=np.float32)
    blurred = np.eye(4, dtype=np.float32)[[0, 1, 3, 2]]  # the last two taken for each other

    report = pair_report(originals, {"same": originals, "blur": blurred}, threshold=0.5)

    assert (report.photos, report.copies, report.all.right) == (4, 8, 12)
    assert (report.by_kind["same"].recall, report.by_kind["blur"].recall) == (1.0, 0.5)
    assert report.by_kind["blur"].precision == 0.5
    assert report.all.recall == pytest.approx(8 / 12)


def test_thresholds_are_measured_and_stored_and_the_fingerprint_stays(
    tiny_copy_model: Path, tiny_model: Path, photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(tiny_copy_model, model)
    before = read_card(model)

    assert main([str(model), str(photo_folder)]) == 0
    after = read_card(model)

    assert f"near={after.near} similar={after.similar}" in capsys.readouterr().out
    assert after.near is not None
    assert after.similar is not None
    assert 0 <= after.similar <= after.near <= 1
    assert (after.near, after.similar) != (before.near, before.similar)
    assert after.fingerprint == before.fingerprint
    assert main([str(tiny_model), str(photo_folder)]) == 1
    assert "has no copy descriptor" in capsys.readouterr().err
