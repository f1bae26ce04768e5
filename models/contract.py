"""What a model file must be, and the reading of it. Needs onnxruntime alone; knows nothing of photos.

A model file is ONNX with the input `image`, uint8 [batch, height, width, 3] RGB, and the output `embedding`,
float32 [batch, dimension] of L2 norm 1; the batch is free. Contract 2 may have a second output `copy`, float32
[batch, copy_dimension] of L2 norm 1: a descriptor by which a photo knows its own copies. Its metadata, all of it text:

    lookalike.contract        "1" or "2"
    lookalike.name            the model's name, such as "resnet"
    lookalike.height_px       rows of the input, as the graph has them
    lookalike.width_px        columns of the input
    lookalike.resize          "stretch" or "crop:F" (models/preprocess.py)
    lookalike.dimension       length of the embedding
    lookalike.source          where the weights come from
    lookalike.licence         of the weights
    lookalike.precision       "fp32" or "int8"
    lookalike.fingerprint     SHA-256 of the weights, 64 hexadecimal digits: equal means equal embeddings
    lookalike.copy_dimension  length of the copy descriptor; contract 2, there if the output is
    lookalike.near            least cosine of two copy descriptors to call one photo a copy of the other; contract 2
    lookalike.similar         least cosine of two copy descriptors that are worth a second look; contract 2

The two thresholds are measured (`python -m models.evaluate --pairs`) and no part of the fingerprint.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from models.onnx_runtime import ort
from models.preprocess import crop_fraction

CONTRACT = "2"
CONTRACTS = ("1", CONTRACT)
PREFIX = "lookalike."
INPUT, OUTPUT, COPY = "image", "embedding", "copy"
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
    """A model file's own account of itself. Sizes in pixels; `fingerprint` is lower-case hexadecimal.

    What a file of contract 1 lacks is None: the copy descriptor and its thresholds, which are cosines.
    """

    name: str
    height_px: int
    width_px: int
    resize: str
    dimension: int
    source: str
    licence: str
    precision: str
    fingerprint: str
    copy_dimension: int | None = None
    near: float | None = None
    similar: float | None = None

    @property
    def has_network(self) -> bool:
        """Whether there is a network; the card of imported vectors (worker/inference/imported.py) has none."""
        return self.height_px > 0

    def metadata(self) -> dict[str, str]:
        """What an exporter writes into the file."""
        fields = {PREFIX + name: str(value) for name, value in vars(self).items() if value is not None}
        return fields | {PREFIX + "contract": CONTRACT}


def read_card(path: Path) -> ModelCard:
    """Reads the card of a model file. Raises ContractBroken, also for a file that is no ONNX or is missing.

    Loads the graph without optimising it: 110 ms for the ResNet-50 that ships (2 busy AMD EPYC cores, 2026-11-29).
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
        raise not_loaded(path, error) from error
    return card_of_session(session, path)


def not_loaded(path: Path, error: Exception) -> ContractBroken:
    """What to raise for a file that ONNX Runtime refuses."""
    reason = str(error).splitlines()[0][:200]
    return ContractBroken(f"{path} is no ONNX model that can be loaded ({reason}). {REMEDY}")


def card_of_session(session: ort.InferenceSession, path: Path) -> ModelCard:
    """The card of a session that is open on that file. Raises ContractBroken."""
    try:
        return card_of(session.get_modelmeta().custom_metadata_map, session.get_inputs(), session.get_outputs())
    except ContractBroken as error:
        raise ContractBroken(f"{path}: {error}") from None


def card_of(metadata: Mapping[str, str], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> ModelCard:
    """The card of a session that is already open, from its custom metadata map, inputs and outputs.

    Raises ContractBroken at the first thing that is wrong.
    """
    version = metadata.get(PREFIX + "contract")
    if version not in CONTRACTS:
        found = "none" if version is None else repr(version)
        raise ContractBroken(f"the metadata {PREFIX}contract is {found} and must be '1' or '2'. {REMEDY}")
    has_copy = version != "1" and PREFIX + "copy_dimension" in metadata
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
        copy_dimension=_count(metadata, "copy_dimension") if has_copy else None,
        near=_cosine(metadata, "near") if has_copy else None,
        similar=_cosine(metadata, "similar") if has_copy else None,
    )
    try:
        crop_fraction(card.resize)
    except ValueError as error:
        raise ContractBroken(f"{error}. {REMEDY}") from None
    if card.precision not in PRECISIONS:
        raise ContractBroken(f"the precision is {card.precision!r} and must be fp32 or int8. {REMEDY}")
    if re.fullmatch(r"[0-9a-f]{64}", card.fingerprint) is None:
        raise ContractBroken(f"the fingerprint {card.fingerprint!r} is no SHA-256 in hexadecimal. {REMEDY}")
    _check_tensors("input", inputs, {INPUT: ("tensor(uint8)", (card.height_px, card.width_px, 3))})
    wanted = {OUTPUT: ("tensor(float)", (card.dimension,))}
    if card.copy_dimension is not None:
        wanted[COPY] = ("tensor(float)", (card.copy_dimension,))
    _check_tensors("output", outputs, wanted)
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


def _cosine(metadata: Mapping[str, str], field: str) -> float | None:
    if PREFIX + field not in metadata:
        return None
    value = _text(metadata, field)
    if re.fullmatch(r"0(\.[0-9]{1,17})?|1(\.0)?", value) is None:
        raise ContractBroken(f"the metadata {PREFIX}{field} is {value!r} and must be a number from 0 to 1. {REMEDY}")
    return float(value)


def _check_tensors(kind: str, found: Sequence[Tensor], wanted: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """Tensors of these names and types alone, whose first axis is free and whose others are as given."""
    parts = [f"{name!r}, {element} [batch, {', '.join(map(str, fixed))}]" for name, (element, fixed) in wanted.items()]
    named = f"{'one' if len(wanted) == 1 else len(wanted)} {kind}{'s'[: len(wanted) - 1]} {' and '.join(parts)}"
    if len(found) != len(wanted):
        raise ContractBroken(f"the graph has {len(found)} {kind}s and must have {named}. {REMEDY}")
    for tensor in found:
        element, fixed = wanted.get(tensor.name, ("", ()))
        free = len(tensor.shape) > 0 and not isinstance(tensor.shape[0], int)
        if tensor.type != element or tuple(tensor.shape[1:]) != fixed or not free:
            is_now = f"{tensor.name!r}, {tensor.type} {list(tensor.shape)}"
            raise ContractBroken(f"the {kind} is {is_now} and must be {named}, batch free. {REMEDY}")
