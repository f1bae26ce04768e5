"""What a model file must be, and the reading of it. Needs onnxruntime alone; knows nothing of photos.

A model file is ONNX with the input `image`, uint8 [batch, height, width, 3] RGB, and the output `embedding`,
float32 [batch, dimension] of L2 norm 1; the batch is free. Its metadata, all of it text:

    lookalike.contract      "1"
    lookalike.name          the model's name, such as "resnet18"
    lookalike.height_px     rows of the input, as the graph has them
    lookalike.width_px      columns of the input
    lookalike.resize        "stretch" or "crop:F" (models/preprocess.py)
    lookalike.dimension     length of the embedding
    lookalike.source        where the weights come from
    lookalike.licence       of the weights
    lookalike.precision     "fp32" or "int8"
    lookalike.fingerprint   SHA-256 of the weights, 64 hexadecimal digits: equal means equal embeddings
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import onnxruntime as ort

from models.preprocess import crop_fraction

CONTRACT = "1"
PREFIX = "lookalike."
INPUT, OUTPUT = "image", "embedding"
PRECISIONS = ("fp32", "int8")
REMEDY = (
    "Export a right one: python -m models.export resnet18 MODEL.onnx --photos FOLDER --weights STATE_DICT.pt "
    "(or fetch one: python -m models.fetch resnet50)"
)


class ContractBroken(ValueError):
    """This file is no model of ours. The message says what is wrong with it and how to export a right one."""


class Tensor(Protocol):
    """What ONNX Runtime says of an input or output; a free dimension is a name or None."""

    @property
    def name(self) -> str:
        """The name in the graph."""

    @property
    def type(self) -> str:
        """As `tensor(uint8)`."""

    @property
    def shape(self) -> Sequence[int | str | None]:
        """One entry for each axis."""


@dataclass(frozen=True)
class ModelCard:
    """A model file's own account of itself. Sizes in pixels; `fingerprint` is lower-case hexadecimal."""

    name: str
    height_px: int
    width_px: int
    resize: str
    dimension: int
    source: str
    licence: str
    precision: str
    fingerprint: str

    def metadata(self) -> dict[str, str]:
        """What an exporter writes into the file."""
        fields = {PREFIX + name: str(value) for name, value in vars(self).items()}
        return fields | {PREFIX + "contract": CONTRACT}


def read_card(path: Path) -> ModelCard:
    """Reads the card of a model file. Raises ContractBroken, also for a file that is no ONNX or is missing.

    Loads the graph without optimising it: 10 ms for the ResNet-18 that ships (2 AMD EPYC cores, 2026-11-21).
    """
    if not path.is_file():
        raise ContractBroken(f"There is no model file {path}. {REMEDY}")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes share no public base
        reason = str(error).splitlines()[0][:200]
        raise ContractBroken(f"{path} is no ONNX model that can be loaded ({reason}). {REMEDY}") from error
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        return card_of(metadata, session.get_inputs(), session.get_outputs())
    except ContractBroken as error:
        raise ContractBroken(f"{path}: {error}") from None


def card_of(metadata: Mapping[str, str], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> ModelCard:
    """The card of a session that is already open, from its custom metadata map, inputs and outputs.

    Raises ContractBroken at the first thing that is wrong.
    """
    version = metadata.get(PREFIX + "contract")
    if version != CONTRACT:
        found = "none" if version is None else repr(version)
        raise ContractBroken(f"the metadata {PREFIX}contract is {found} and must be {CONTRACT!r}. {REMEDY}")
    card = ModelCard(
        name=_text(metadata, "name"),
        height_px=_count(metadata, "height_px"),
        width_px=_count(metadata, "width_px"),
        resize=_text(metadata, "resize"),
        dimension=_count(metadata, "dimension"),
        source=_text(metadata, "source"),
        licence=_text(metadata, "licence"),
        precision=_text(metadata, "precision"),
        fingerprint=_text(metadata, "fingerprint"),
    )
    try:
        crop_fraction(card.resize)
    except ValueError as error:
        raise ContractBroken(f"{error}. {REMEDY}") from None
    if card.precision not in PRECISIONS:
        raise ContractBroken(f"the precision is {card.precision!r} and must be fp32 or int8. {REMEDY}")
    if re.fullmatch(r"[0-9a-f]{64}", card.fingerprint) is None:
        raise ContractBroken(f"the fingerprint {card.fingerprint!r} is no SHA-256 in hexadecimal. {REMEDY}")
    _check_tensor("input", inputs, INPUT, "tensor(uint8)", (card.height_px, card.width_px, 3))
    _check_tensor("output", outputs, OUTPUT, "tensor(float)", (card.dimension,))
    return card


def _text(metadata: Mapping[str, str], field: str) -> str:
    value = metadata.get(PREFIX + field, "")
    if not value.strip():
        raise ContractBroken(f"the metadata {PREFIX}{field} is missing or empty. {REMEDY}")
    return value


def _count(metadata: Mapping[str, str], field: str) -> int:
    value = _text(metadata, field)
    if re.fullmatch(r"[1-9][0-9]{0,5}", value) is None:
        raise ContractBroken(f"the metadata {PREFIX}{field} is {value!r} and must be a whole number. {REMEDY}")
    return int(value)


def _check_tensor(kind: str, found: Sequence[Tensor], name: str, element: str, fixed: tuple[int, ...]) -> None:
    """One tensor of that name and type, whose first axis is free and whose others are `fixed`."""
    wanted = f"one {kind} {name!r}, {element} [batch, {', '.join(map(str, fixed))}]"
    if len(found) != 1:
        raise ContractBroken(f"the graph has {len(found)} {kind}s and must have {wanted}. {REMEDY}")
    tensor = found[0]
    free = len(tensor.shape) > 0 and not isinstance(tensor.shape[0], int)
    if tensor.name != name or tensor.type != element or tuple(tensor.shape[1:]) != fixed or not free:
        is_now = f"{tensor.name!r}, {tensor.type} {list(tensor.shape)}"
        raise ContractBroken(f"the {kind} is {is_now} and must be {wanted}, batch free. {REMEDY}")
