"""models/tools/evaluate.py: a model measured on a folder, as a person or a program asks for it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from models.contract import ContractBroken
from models.tools.embedder import Embedder
from models.tools.evaluate import evaluate, main, read_folder
from models.tools.perturbations import copied
from models.tools.photos import open_rgb
from models.tools.retrieval import copies_found

COPIES = ["q75", "q10", "half", "crop80", "crop50", "mirror", "turn10", "turn90", "grey", "bright", "blur"]
COPIES += ["frame", "text", "screenshot", "collage"]


@pytest.fixture(scope="module")
def mean_colour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float model like the teacher, whose feature is an image's mean colour: classes by colour are its world."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"], axis=1),
    ]
    pixels = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 32, 32])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "mean_colour", [pixels], [features])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("model") / "mean_colour.onnx"
    onnx.save(model, path)
    return path


def measured(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_model_that_sees_the_classes_finds_them_all(
    mean_colour: Path, photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = measured(capsys, mean_colour, photo_folder)

    assert report["map"] == 1.0
    assert report["r_at_1"] == 1.0
    assert report["p_at_10"] == pytest.approx(0.5)  # five of the first ten can be right


def test_copies_that_keep_the_mean_colour_are_found_and_grey_ones_are_not(
    mean_colour: Path, photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = measured(capsys, mean_colour, photo_folder)["copies"]

    assert copies["turn90"] == copies["mirror"] == copies["half"] == 1.0
    assert copies["grey"] < 0.5


def test_the_document_holds_every_figure_and_against_makes_a_list_of_two(
    tiny_model: Path, mean_colour: Path, photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = measured(capsys, tiny_model, photo_folder)
    both = measured(capsys, tiny_model, photo_folder, "--against", mean_colour)

    assert list(alone) == ["map", "p_at_10", "r_at_1", "copies", "by_copy", "pairs"]
    assert (alone["by_copy"], alone["pairs"]) == (None, None)
    assert list(alone["copies"]) == COPIES
    assert both[0] == alone
    assert both[1]["map"] == 1.0


def test_the_table_names_both_models_and_every_figure(
    tiny_model: Path, mean_colour: Path, photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(tiny_model), str(photo_folder), "--against", str(mean_colour)])
    printed = capsys.readouterr().out

    assert "tiny.onnx: tiny fp32, 18 photos" in printed
    assert "mean_colour.onnx" in printed
    for name in ("mAP", "P@10", "R@1", *COPIES):
        assert name in printed


def test_a_photo_that_does_not_open_is_left_out_aloud(
    photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(photo_folder, folder)
    (folder / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")

    photos, labels = read_folder(folder)

    assert len(photos) == len(labels) == 18
    assert "left out red/broken.png" in capsys.readouterr().err


def test_what_cannot_be_measured_is_said_in_one_sentence(
    mean_colour: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.onnx").write_bytes(b"no model")

    assert main([str(mean_colour), str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert main([str(mean_colour), str(tmp_path)]) == 1
    assert "folder of class folders" in capsys.readouterr().err


def test_a_model_of_neither_kind_is_refused(tmp_path: Path, mean_colour: Path) -> None:
    model = onnx.load(mean_colour)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    onnx.save(model, tmp_path / "four_channels.onnx")

    with pytest.raises(ContractBroken, match="four_channels"):
        Embedder(tmp_path / "four_channels.onnx")


def test_embeddings_have_length_one_and_do_not_depend_on_the_batch(tiny_model: Path, photo_folder: Path) -> None:
    photos, _ = read_folder(photo_folder)
    images = [open_rgb(photo) for photo in photos]
    embedder = Embedder(tiny_model)

    together = embedder.embed(images)
    one_by_one = np.concatenate([embedder.embed([image]) for image in images])

    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-6)
    assert together == pytest.approx(one_by_one, abs=1e-6)


def test_a_copy_counts_if_its_original_is_nearest_or_is_there_twice() -> None:
    originals = np.eye(3, dtype=np.float32)[[0, 1, 1]]
    copies = np.eye(3, dtype=np.float32)[[1, 1, 1]]

    assert copies_found(originals, copies) == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("size", [(1, 1), (31, 20)])
def test_every_transform_takes_any_rgb_image(name: str, size: tuple[int, int]) -> None:
    images = [Image.new("RGB", size, colour) for colour in ("red", "blue")]

    copies = list(copied(name, images))

    assert [copy.mode for copy in copies] == ["RGB", "RGB"]


def test_a_model_that_knows_copies_is_measured_by_both_vectors(
    tiny_copy_model: Path, photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = measured(capsys, tiny_copy_model, photo_folder)
    main([str(tiny_copy_model), str(photo_folder)])
    printed = capsys.readouterr().out

    assert list(report["by_copy"]) == COPIES
    assert report["by_copy"]["q75"] > 0.5
    assert report["by_copy"] != report["copies"]
    assert "by copy collage" in printed


def test_pairs_are_told_apart_by_the_threshold_of_the_file_and_by_the_best(
    tiny_copy_model: Path, photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = measured(capsys, tiny_copy_model, photo_folder, "--pairs")["pairs"]

    assert (pairs["photos"], pairs["copies"], pairs["all"]["right"]) == (18, 72, 180)  # 18 x (5 choose 2)
    assert list(pairs["by_kind"]) == ["q75", "half", "crop80", "mirror"]
    assert pairs["all"]["threshold"] == 0.9
    assert pairs["by_kind"]["q75"]["recall_at_p99"] > 0.5
    assert main([str(tiny_copy_model), str(photo_folder), "--pairs", "blur"]) == 0
    assert "pairs blur: recall at precision .99" in capsys.readouterr().out


def test_the_same_model_and_photos_give_the_same_report(tiny_model: Path, photo_folder: Path) -> None:
    photos, labels = read_folder(photo_folder)

    assert evaluate(Embedder(tiny_model), photos, labels) == evaluate(Embedder(tiny_model), photos, labels)
