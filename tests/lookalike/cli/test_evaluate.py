"""`lookalike evaluate` without a running system: which photos are drawn, what the figures mean, how it fails."""

import copy
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from lookalike.cli.commands.evaluate import drawn, meaning, measured, show_report
from lookalike.errors import Misconfigured
from lookalike.settings import read_settings
from tests.support.pictures import draw
from tests.support.tiny_model import tiny_model

PAIRS = {
    "right": 30, "threshold": 0.8, "precision": 0.99, "recall": 0.5, "recall_at_p99": 0.7, "threshold_at_p99": 0.75,
}  # fmt: skip
REPORT: dict[str, Any] = {
    "model": "tiny fp32", "photos": 15, "left_out": 1, "by_copy": True,
    "pairs": PAIRS, "pairs_by_kind": {"q75": PAIRS, "turn90": PAIRS},
    "found_first": {"q75": 1.0, "turn90": 0.75}, "found_first_by_embedding": {"q75": 1.0, "turn90": 0.25},
    "classes": {"folders": 3, "figures": {"map": 0.5, "p_at_10": 0.6, "r_at_1": 0.7}},
}  # fmt: skip


def test_the_photos_of_a_library_are_always_the_same_and_from_all_of_it() -> None:
    paths = [f"{folder}/{number}.jpg" for folder in "abcd" for number in range(100)]

    some = drawn(paths, 40)

    assert some == drawn(reversed(paths), 40)
    assert len(set(some)) == 40
    assert {path[0] for path in some} == set("abcd")
    assert sorted(drawn(paths, 1000)) == sorted(paths)


def test_the_figures_are_shown_and_said_in_words(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "lookalike"):
        show_report(REPORT)

    shown = " ".join(capsys.readouterr().out.split())
    assert "15 of your photos and 30 copies that were made of them, compared by the copy descriptor." in shown
    assert "turn90 0.750 0.250 0.990 0.500 0.700 0.750" in shown
    assert "At the model's threshold 0.8, 50.0% of the copies are called copies" in shown
    assert "from 0.750 up finds 70.0% of them here with 99 of 100 right" in shown
    assert "With your 3 folders as classes: the nearest photo is of the same folder for 70.0% (R@1)" in shown
    assert "1 were left out" in shown


def test_what_is_not_known_is_said() -> None:
    report = copy.deepcopy(REPORT) | {"classes": None, "left_out": 0, "by_copy": False}
    report["pairs"] = {**PAIRS, "threshold": None, "precision": None, "recall": None, "threshold_at_p99": None}

    said = " ".join(meaning(report))

    assert "names no threshold" in said
    assert "At no threshold are 99 of 100 pairs right" in said
    assert "no classes to tell apart" in said
    assert "left out" not in said


def test_the_program_measures_and_tells_how_far_it_is(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "tiny.onnx", copies=True)
    names = [draw(tmp_path / "library" / f"{seed} caf\xe9.png", seed).name for seed in range(6)]
    told: list[int] = []

    report = measured(read_settings(model=str(model)), tmp_path / "library", names, "", told.append)

    assert (report["model"], report["photos"], told) == ("tiny fp32", 6, [6])


@pytest.mark.parametrize(
    ("model", "generation", "reason"),
    [("none", "", "There is no model 'none'"), ("tiny", "0123456789ab-1-cosine", "made with another model file")],
)
def test_what_fails_there_is_told_in_one_sentence(tmp_path: Path, model: str, generation: str, reason: str) -> None:
    tiny = tiny_model(tmp_path / "tiny.onnx")
    settings = read_settings(model=str(tiny) if model == "tiny" else model)

    with pytest.raises(Misconfigured, match=reason) as told:
        measured(settings, tmp_path, ["a.png", "b.png"], generation, lambda _: None)

    assert "\n" not in str(told.value)


def test_without_the_models_packages_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "python"
    # Isolated and without site-packages: a Python that has the client's code alone.
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))

    with pytest.raises(Misconfigured, match=r"pip install 'lookalike\[worker\]'"):
        measured(read_settings(), tmp_path, ["a.png", "b.png"], "", lambda _: None)
