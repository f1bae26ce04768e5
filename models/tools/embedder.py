"""Embeds images with a model file of the contract, or with a float model such as the teacher."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.contract import COPY, OUTPUT, ContractBroken, ModelCard, card_of
from models.onnx_runtime import ort
from models.preprocess import Recipe, prepare
from models.tools.retrieval import normalised

BATCH = 16
# ImageNet's channel means and deviations (torchvision's published recipe), for pixels in 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
FLOAT_RULE = "crop:0.875"  # short side to 256, centre crop 224: the recipe of most published ImageNet networks


class Rule:
    """A preprocessing rule without a model file: what `prepare` needs of a card."""

    def __init__(self, height_px: int, width_px: int, resize: str) -> None:
        self.height_px = height_px
        self.width_px = width_px
        self.resize = resize


class Embedder:
    """One open model, of either of two kinds.

    - the contract's (models/contract.py), with a copy descriptor or without one;
    - the float contract: one input float32 [n, 3, h, w], ImageNet-normalised; one output float32 [n, d].

    Raises ContractBroken for any other.
    """

    def __init__(self, path: Path, threads: int = 2) -> None:
        self._session = open_session(path, threads)
        self._input = self._session.get_inputs()[0]
        self._is_float = self._input.type == "tensor(float)" and len(self._input.shape) == 4  # noqa: PLR2004
        self.rule: Recipe
        self.card: ModelCard | None = None
        if self._is_float:
            _, channels, height, width = self._input.shape
            if channels != 3 or not isinstance(height, int) or not isinstance(width, int):  # noqa: PLR2004
                raise ContractBroken(f"{path}: a float model must take [n, 3, h, w] and takes {self._input.shape}")
            self.rule = Rule(height, width, FLOAT_RULE)
            self.name = path.stem
        else:
            metadata = self._session.get_modelmeta().custom_metadata_map
            card = card_of(metadata, self._session.get_inputs(), self._session.get_outputs())
            self.rule = self.card = card
            self.name = f"{card.name} {card.precision}"

    @property
    def knows_copies(self) -> bool:
        """Whether the model has a copy descriptor; without one its embedding must do for copies too."""
        return self.card is not None and self.card.copy_dimension is not None

    def embed(self, images: Iterable[Image.Image]) -> NDArray[np.float32]:
        """Upright RGB images -> float32 [n, d], L2 norm 1. Holds one batch of prepared images at a time."""
        return self.describe(images)[0]

    def describe(self, images: Iterable[Image.Image]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Upright RGB images -> their embeddings, float32 [n, d], and their copy descriptors [n, d2], L2 norm 1.

        The second are the embeddings again where the model knows no copies.
        """
        parts = [self._run(batch) for batch in _batches(images, self.rule)]
        embeddings, descriptors = zip(*parts, strict=True)
        return np.concatenate(embeddings), np.concatenate(descriptors)

    def embed_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What `prepare` made, uint8 [n, h, w, 3] -> float32 [n, d], L2 norm 1."""
        return self._run(pixels)[0]

    def _run(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        fed = float_input(pixels) if self._is_float else pixels
        names = [OUTPUT, COPY] if self.knows_copies else None
        outputs = self._session.run(names, {self._input.name: fed})
        units = [normalised(np.asarray(output, dtype=np.float32)) for output in outputs]
        return units[0], units[-1]


def float_input(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [n, h, w, 3] RGB -> float32 [n, 3, h, w], normalised as torchvision's published weights expect."""
    mean, std = np.array(IMAGENET_MEAN, dtype=np.float32), np.array(IMAGENET_STD, dtype=np.float32)
    normalised_pixels = (pixels.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(normalised_pixels.transpose(0, 3, 1, 2), dtype=np.float32)


def open_session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """An ONNX Runtime session on the CPU. Raises ContractBroken for a file that is no ONNX."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes share no public base
        reason = str(error).splitlines()[0][:200]
        raise ContractBroken(f"{path} is no ONNX model that can be loaded ({reason})") from error


def _batches(images: Iterable[Image.Image], rule: Recipe) -> Iterator[NDArray[np.uint8]]:
    iterator = iter(images)
    while batch := [prepare(image, rule) for image in islice(iterator, BATCH)]:
        yield np.stack(batch)
