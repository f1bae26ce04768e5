"""Makes the int8 twin of a model file: smaller, three times as fast, the same contract.

    python -m models.quantize FP32.onnx INT8.onnx --photos FOLDER

Static QDQ by ONNX Runtime's own tools, calibrated on real photos. Needs onnxruntime and onnx, no torch.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from models.contract import INPUT, ModelCard, read_card
from models.preprocess import prepare
from models.tools.embedder import open_session
from models.tools.graph import DETAIL, HEADS
from models.tools.metadata import stamp
from models.tools.photos import Photo, open_rgb, read_photos

CALIBRATION_PHOTOS = 256
# The pooled feature stays float: one byte for each value would round what the embedding is made of.
QUANTIZED = ["Conv", "Relu", "Add", "MaxPool"]
INT8_MOST = 127


class Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Feeds prepared photos, sixteen at a time, as ONNX Runtime asks for them."""

    def __init__(self, inputs: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(np.array_split(inputs, max(1, len(inputs) // 16)))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch, or None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantize(model: Path, path: Path, photos: Sequence[Photo]) -> tuple[ModelCard, float]:
    """Writes the int8 twin; returns its card and the smallest cosine to fp32 over `photos`, of all outputs.

    Activations are unsigned and weights signed (S8S8 is three times slower on CPUs with VNNI), each output channel
    with a scale of its own. Weights use 7 of the 8 bits: two products of 255 x 127 overflow the 16-bit sum of CPUs
    without VNNI, so that the same photo would give another embedding there; 255 x 64 does not. Heads compute in float;
    only their weights are stored as int8, which takes a quarter of the room.
    Raises ContractBroken for what is no model of the contract, ValueError for one that is int8 already or no photos.
    """
    card = read_card(model)
    if card.precision != "fp32":
        raise ValueError(f"{model} is {card.precision} already: quantize its fp32 twin")
    if len(photos) == 0:
        raise ValueError("no photos to calibrate with: give a folder or tar file that holds some")
    inputs = np.stack([prepare(open_rgb(photo.content), card) for photo in photos])
    return quantize_on(model, path, inputs), float(_cosines(model, path, inputs).min())


def quantize_on(model: Path, path: Path, inputs: NDArray[np.uint8]) -> ModelCard:
    """The same for a fp32 model and prepared photos, uint8 [n, h, w, 3], without the comparison."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "quantized.onnx"
        quantize_static(
            model,
            raw,
            Calibration(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        made = onnx.load(raw)
    _leave_out_zeros(made)
    for head in (*HEADS.values(), DETAIL):
        _store_small(made, f"{head}.weight")
    return stamp(made, replace(read_card(model), precision="int8"), path)


def _leave_out_zeros(model: onnx.ModelProto) -> None:
    """Drops the zero points of biases, which are 0 by definition: four bytes for each channel of each convolution."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and len(node.input) == 3:  # noqa: PLR2004
            zeros = stored.get(node.input[2])
            if zeros is not None and zeros.data_type == onnx.TensorProto.INT32:
                node.input.pop()
                model.graph.initializer.remove(zeros)


def _store_small(model: onnx.ModelProto, name: str) -> None:
    """Replaces a stored matrix float32 [d, f] by int8 and a scale for each row, joined when the file is loaded."""
    found = [tensor for tensor in model.graph.initializer if tensor.name == name]
    if not found:
        return
    values = onnx.numpy_helper.to_array(found[0])
    scale = (np.abs(values).max(axis=1) / INT8_MOST).clip(min=np.finfo(np.float32).tiny).astype(np.float32)
    rounded = np.round(values / scale[:, np.newaxis]).astype(np.int8)
    model.graph.initializer.remove(found[0])
    for suffix, tensor in (("_quantized", rounded), ("_scale", scale)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(tensor, name + suffix))
    inputs = [f"{name}_quantized", f"{name}_scale"]
    model.graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", inputs, [name], f"{name}_joined", axis=0))


def _cosines(one: Path, other: Path, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Of each output and row, float32 [outputs, n]."""
    runs = []
    for path in (one, other):
        session = open_session(path)
        parts = [session.run(None, {INPUT: inputs[start : start + 16]}) for start in range(0, len(inputs), 16)]
        runs.append([np.concatenate(output) for output in zip(*parts, strict=True)])
    return np.array([(a * b).sum(axis=1) for a, b in zip(*runs, strict=True)], dtype=np.float32)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line above; exit code 1 with one sentence when it is refused."""
    parser = argparse.ArgumentParser(
        prog="python -m models.quantize",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="the fp32 model file")
    parser.add_argument("int8", type=Path, help="the file to write")
    parser.add_argument("--photos", type=Path, required=True, help="folder or tar file to calibrate with")
    given = parser.parse_args(arguments)
    try:
        photos = list(islice(read_photos([given.photos]), CALIBRATION_PHOTOS))
        card, cosine = quantize(given.model, given.int8, photos)
    except (ValueError, OSError) as error:
        print(f"not quantized: {error}", file=sys.stderr)
        return 1
    size_mb = given.int8.stat().st_size / 1e6
    print(f"quantized {given.int8} name={card.name} fingerprint={card.fingerprint[:12]} size_mb={size_mb:.1f}")
    print(f"smallest cosine to fp32 over {len(photos)} photos: {cosine:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
