"""Runs the model: model input in, embeddings out. Knows nothing of files or the index."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from lookalike.errors import Misconfigured
from lookalike.services import services_dir
from lookalike.settings import Settings
from models.contract import ContractBroken, ModelCard, read_card

# What computed the vectors, recorded with the collection: other providers differ in the third decimal.
BACKEND = "onnxruntime-cpu"


class Embedder:
    """One model, loaded. Make it after fork: a session does not survive one."""

    def __init__(self, path: Path, *, sub_batch: int) -> None:
        options = ort.SessionOptions()
        # One process per core, serial inside: measured against threads in docs/decisions/0007-worker.md.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.card = card_at(path)
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._sub_batch = sub_batch

    def embed(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Embeds a batch: n arrays uint8 [H, W, 3] RGB -> float32 [n, D], L2 norm 1."""
        runs = [
            self._session.run(["embedding"], {"image": np.stack(pictures[start : start + self._sub_batch])})[0]
            for start in range(0, len(pictures), self._sub_batch)
        ]
        return np.concatenate(runs) if runs else np.empty((0, self.card.dimension), np.float32)

    def warm_up(self) -> None:
        """Runs the model once on nothing: the first run allocates, and should not be somebody's search."""
        self.embed([np.zeros((self.card.height_px, self.card.width_px, 3), np.uint8)])


def model_path(settings: Settings) -> Path:
    """The file of the model that is set: a path, or the name of one that ships or was fetched. Raises Misconfigured."""
    model, shipped = settings.model, services_dir() / "models"
    folders = [shipped] if settings.data is None else [shipped, settings.data / "models"]
    named = [folder / name for folder in folders for name in (f"{model}.onnx", model)]
    for path in (Path(model).expanduser(), *named):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for folder in folders for path in folder.glob("*.onnx"))) or "none"
    raise Misconfigured(
        f"There is no model {model!r}: set LOOKALIKE_MODEL to an ONNX file or to one of: {known}. "
        "A ResNet-50 comes with `lookalike model fetch resnet50`."
    )


def card_at(path: Path) -> ModelCard:
    """The card of a model file. Raises Misconfigured if it does not fit the contract."""
    try:
        return read_card(path)
    except ContractBroken as error:
        raise Misconfigured(str(error)) from error
