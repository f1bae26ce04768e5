"""models/tools/quantize.py: the int8 twin of a model keeps the contract and the neighbours."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from models.contract import ContractBroken, read_card
from models.tools.embedder import Embedder
from models.tools.photos import open_rgb, read_photos
from models.tools.quantize import main, quantize


@pytest.fixture(scope="module")
def int8(tiny_model: Path, photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "int8.onnx"
    quantize(tiny_model, path, list(read_photos([photo_folder])))
    return path


def test_the_twin_has_the_same_card_but_for_precision_and_fingerprint(tiny_model: Path, int8: Path) -> None:
    fp32, twin = vars(read_card(tiny_model)), vars(read_card(int8))

    assert {key for key in fp32 if fp32[key] != twin[key]} == {"precision", "fingerprint"}
    assert twin["precision"] == "int8"


def test_the_twin_places_photos_alike(tiny_model: Path, int8: Path, photo_folder: Path) -> None:
    images = [open_rgb(photo.content) for photo in read_photos([photo_folder])]

    cosines = (Embedder(tiny_model).embed(images) * Embedder(int8).embed(images)).sum(axis=1)

    assert cosines.min() > 0.97


def test_weights_are_signed_seven_bit_for_each_channel_and_activations_unsigned(int8: Path) -> None:
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(int8).graph.initializer}
    kernels = [values for values in stored.values() if values.dtype == np.int8 and values.ndim == 4]
    zero_points = {values.dtype for name, values in stored.items() if name.endswith("relu_zero_point")}

    assert len(kernels) == 12
    # more would overflow the 16-bit sums of CPUs without VNNI
    assert max(int(np.abs(kernel.astype(np.int16)).max()) for kernel in kernels) <= 64
    assert zero_points == {np.dtype(np.uint8)}


def test_heads_are_stored_small_and_compute_in_float(tiny_copy_model: Path, photo_folder: Path, tmp_path: Path) -> None:
    images = [open_rgb(photo.content) for photo in read_photos([photo_folder])]
    card, _ = quantize(tiny_copy_model, tmp_path / "int8.onnx", list(read_photos([photo_folder])))
    stored = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(tmp_path / "int8.onnx").graph.initializer
    }

    assert (card.copy_dimension, card.near, card.similar) == (6, 0.9, 0.5)
    for head in ("embedding_head", "copy_head"):
        assert f"{head}.weight" not in stored
        assert stored[f"{head}.weight_quantized"].dtype == np.int8
        assert np.abs(stored[f"{head}.weight_quantized"]).max(axis=1).tolist() == [127] * len(stored[f"{head}.bias"])
    for one, twin in zip(
        Embedder(tiny_copy_model).describe(images), Embedder(tmp_path / "int8.onnx").describe(images), strict=True
    ):
        assert (one * twin).sum(axis=1).min() > 0.97


def test_the_report_is_the_smallest_cosine_and_the_size(
    tiny_model: Path, photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tiny_model), str(tmp_path / "int8.onnx"), "--photos", str(photo_folder)]

    assert main(arguments) == 0

    assert "smallest cosine to fp32 over 18 photos: 0.9" in capsys.readouterr().out


def test_an_int8_model_or_no_model_or_no_photos_is_refused(int8: Path, tiny_model: Path, tmp_path: Path) -> None:
    photos = list(read_photos([]))

    with pytest.raises(ValueError, match="int8 already"):
        quantize(int8, tmp_path / "again.onnx", photos)
    with pytest.raises(ValueError, match="no photos"):
        quantize(tiny_model, tmp_path / "again.onnx", photos)
    with pytest.raises(ContractBroken):
        quantize(tmp_path / "nowhere.onnx", tmp_path / "again.onnx", photos)
    assert list(tmp_path.iterdir()) == []
