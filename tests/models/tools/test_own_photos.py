"""models/tools/own_photos.py: what it measures on a folder of photos, and what it refuses."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from models.contract import read_card
from models.tools.own_photos import main
from models.tools.perturbations import KINDS
from tests.models.conftest import encoded, picture
from tests.support.tiny_model import NEAR, tiny_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label in ("red", "green", "blue"):
        for number in range(8):
            path = tmp_path / "library" / "colours" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(picture(label, number)))
    return tmp_path / "library"


class Standard:
    """Standard input with these names."""

    def __init__(self, names: Sequence[str]) -> None:
        self.buffer = io.BytesIO(b"".join(name.encode() + b"\0" for name in names))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(names: Sequence[str], *words: object) -> tuple[int, list[Any], str]:
        monkeypatch.setattr("sys.stdin", Standard(names))
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return run


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def test_copies_are_found_by_both_vectors_and_folders_are_classes(run: Any, folder: Path, tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "tiny.onnx", copies=True)
    (folder / "again.png").write_bytes((folder / "colours/red/3.png").read_bytes())
    (folder / "broken.png").write_bytes(b"nothing")
    names = names_in(folder)

    code, lines, err = run(names, model, folder)

    *told, last = lines
    report = last["report"]
    assert (code, err) == (0, "")
    assert told[-1] == {"done": 26, "of": 26}
    assert [line["done"] for line in told] == sorted(line["done"] for line in told)
    assert (report["photos"], report["left_out"], report["by_copy"]) == (24, 2, True)
    assert report["pairs"]["right"] == 24 * len(KINDS)
    assert report["pairs"]["threshold"] == NEAR
    assert tuple(report["pairs_by_kind"]) == KINDS
    assert report["found_first"]["q75"] == 1.0
    assert report["found_first_by_embedding"]["q75"] == 1.0
    assert report["classes"]["folders"] == 3
    assert report["classes"]["figures"]["r_at_1"] > 0.5


def test_without_a_copy_descriptor_the_embedding_is_compared_and_no_threshold_known(
    run: Any, folder: Path, tmp_path: Path
) -> None:
    _, lines, _ = run(names_in(folder / "colours" / "red"), tiny_model(tmp_path / "t.onnx"), folder / "colours" / "red")

    report = lines[-1]["report"]
    assert not report["by_copy"]
    assert report["found_first"] == report["found_first_by_embedding"]
    assert (report["pairs"]["threshold"], report["pairs"]["precision"]) == (None, None)
    assert report["pairs"]["recall_at_p99"] > 0
    assert report["classes"] is None


def test_what_cannot_be_measured_is_told_in_one_sentence(run: Any, folder: Path, tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "tiny.onnx")
    card = read_card(model)

    for words, reason in (
        ((["colours/red/1.png", "gone.png"], model, folder), "1 of 2 files can be opened"),
        ((names_in(folder), tmp_path / "none.onnx", folder), "no ONNX model"),
        ((names_in(folder), model, folder, "--generation", "0123456789ab-1-cosine"), "LOOKALIKE_MODEL"),
    ):
        code, lines, err = run(*words)
        assert code == 1
        assert not any("report" in line for line in lines)
        assert err.startswith("not measured: ")
        assert reason in err
    assert run(names_in(folder), model, folder, "--generation", f"{card.fingerprint[:12]}-1-cosine")[0] == 0
