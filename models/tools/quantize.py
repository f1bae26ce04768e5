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
from models.tools.metadata import stamp
from models.tools.photos import Photo, open_rgb, read_photos

CALIBRATION_PHOTOS = 256
# The pooled feature stays float: one byte for each value would round what the embedding is made of.
QUANTIZED = ["Conv", "Relu", "Add", "MaxPool"]


class Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Feeds prepared photos, sixteen at a time, as ONNX Runtime asks for them."""

    def __init__(self, inputs: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(np.array_split(inputs, max(1, len(inputs) // 16)))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch, or None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantize(model: Path, path: Path, photos: Sequence[Photo]) -> tuple[ModelCard, float]:
    """Writes the int8 twin; returns its card and the smallest cosine to fp32 over `photos`.

    Activations are unsigned and weights signed (S8S8 is three times slower on CPUs with VNNI), each output channel
    with a scale of its own. Weights use 7 of the 8 bits: two products of 255 x 127 overflow the 16-bit sum of CPUs
    without VNNI, so that the same photo would give another embedding there; 255 x 64 does not.
    Raises ContractBroken for what is no model of the contract, ValueError for one that is int8 already or no photos.
    """
    card = read_card(model)
    if card.precision != "fp32":
        raise ValueError(f"{model} is {card.precision} already: quantize its fp32 twin")
    if len(photos) == 0:
        raise ValueError("no photos to calibrate with: give a folder or tar file that holds some")
    inputs = np.stack([prepare(open_rgb(photo.content), card) for photo in photos])
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
    stamped = stamp(made, replace(card, precision="int8"), path)
    return stamped, float(_cosines(model, path, inputs).min())


def _cosines(one: Path, other: Path, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Row by row, float32 [n]."""
    embeddings = []
    for path in (one, other):
        session = open_session(path)
        parts = [session.run(None, {INPUT: inputs[start : start + 16]})[0] for start in range(0, len(inputs), 16)]
        embeddings.append(np.concatenate(parts))
    return np.asarray((embeddings[0] * embeddings[1]).sum(axis=1), dtype=np.float32)


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
