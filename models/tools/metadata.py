"""Writes the card of the contract into an ONNX model. Needs onnx; the reader is contract.py, which does not."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from models.contract import PREFIX, ModelCard, read_card


@dataclass(frozen=True)
class Origin:
    """What a weights file cannot say of itself: a name, where it comes from, and under which licence."""

    name: str
    source: str
    licence: str


def stamp(model: onnx.ModelProto, card: ModelCard, path: Path) -> ModelCard:
    """Saves `model` at `path` with `card`, whose fingerprint is computed here, and reads it back.

    Other tools' metadata stays. Raises models.contract.ContractBroken, leaving no file, when the graph does not
    fit the card.
    """
    stamped = replace(card, fingerprint=fingerprint(model, card))
    others = {entry.key: entry.value for entry in model.metadata_props if not entry.key.startswith(PREFIX)}
    onnx.helper.set_model_props(model, others | stamped.metadata())
    onnx.checker.check_model(model)
    # Written to a second file and renamed: readers of `path` see the old file or the new one, never a part.
    partial = path.with_suffix(".partial.onnx")
    try:
        onnx.save(model, partial)
        read_card(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return stamped


def fingerprint(model: onnx.ModelProto, card: ModelCard) -> str:
    """SHA-256 over every stored tensor (name, type, shape, values) and over what is fed to them.

    Input size and resize rule belong to it: the same weights at another size give other embeddings, which must
    not meet in one collection. The order of the tensors in the file does not matter, nor do the thresholds.
    """
    digest = hashlib.sha256(f"{card.height_px} {card.width_px} {card.resize}\n".encode())
    for tensor in sorted(model.graph.initializer, key=lambda each: each.name):
        values = onnx.numpy_helper.to_array(tensor)
        digest.update(f"{tensor.name} {values.dtype.str} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
