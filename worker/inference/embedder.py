"""Runs the model: model input in, embeddings and copy descriptors out. Independent of files and of the index."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.errors import Misconfigured
from lookalike.search.query import By
from lookalike.settings import Settings
from lookalike.system.service_paths import services_dir
from models.contract import INPUT, ContractBroken, ModelCard, card_of, card_of_session, not_loaded, read_card
from models.onnx_runtime import ort
from worker.errors import Unfit
from worker.inference.imported import IMPORTED, read_imported
from worker.inference.providers import CPU, open_session
from worker.inference.resting import RestingSession

# Of what ONNX Runtime says about a file, which may be long.
MOST_REASON_CHARS = 200


class Embedder:
    """One model, loaded. Make it after fork: a session does not survive one. Raises Misconfigured.

    `rests_after_s`: seconds without a run after which its memory is given back until the next one.
    """

    def __init__(
        self, path: Path, *, inference_batch: int, provider: str = CPU, rests_after_s: float | None = None
    ) -> None:
        # Recorded with the collection: the vectors of providers differ in the third decimal.
        self.provider = provider
        self.session: RestingSession | None = None
        if path.name.endswith(IMPORTED):
            self.card = read_imported(path)
        else:
            session, self.card = _opened(path, provider)
            load_again = partial(_open_again, path, provider, self.card)
            self.session = RestingSession(session, load_again, rests_after_s)
        self._inference_batch = inference_batch
        self.dimensions = dimensions_of(self.card)

    def describe(
        self, images: Sequence[npt.NDArray[np.uint8]], before_run: Callable[[], None] = lambda: None
    ) -> Mapping[By, npt.NDArray[np.float32]]:
        """All outputs of the model for a batch: n arrays uint8 [H, W, 3] RGB -> float32 [n, D] each, L2 norm 1.

        Runs take a sub-batch each; one run makes all outputs. Without a network no array is to be given.
        Raises Unfit if the model was given up and cannot be loaded again.
        """
        runs = []
        for start in range(0, len(images), self._inference_batch):
            before_run()
            run = {INPUT: np.stack(images[start : start + self._inference_batch])}
            assert self.session is not None  # noqa: S101 (nothing is decoded for imported vectors)
            runs.append(self.session.run([*self.dimensions], run))
        if not runs:
            return {by: np.empty((0, dimension), np.float32) for by, dimension in self.dimensions.items()}
        return {by: np.concatenate(parts) for by, parts in zip(self.dimensions, zip(*runs, strict=True), strict=True)}

    def embed(
        self, images: Sequence[npt.NDArray[np.uint8]], before_run: Callable[[], None] = lambda: None
    ) -> npt.NDArray[np.float32]:
        """The embeddings alone: n arrays uint8 [H, W, 3] RGB -> float32 [n, D], L2 norm 1."""
        return self.describe(images, before_run)["embedding"]

    def warm_up(self) -> None:
        """Runs the model once on a black image: the first run allocates, and should not delay a search."""
        if self.card.has_network:
            self.embed([np.zeros((self.card.height_px, self.card.width_px, 3), np.uint8)])


def dimensions_of(card: ModelCard) -> dict[By, int]:
    """The length of each output of a model."""
    copies: dict[By, int] = {} if card.copy_dimension is None else {"copy": card.copy_dimension}
    return {"embedding": card.dimension, **copies}


def model_path(settings: Settings) -> Path:
    """The file of the model that is set: a path, or the name of one that ships or was fetched. Raises Misconfigured."""
    model, shipped = settings.model, services_dir() / "models"
    folders = [shipped] if settings.data is None else [shipped, settings.data / "models"]
    named = [folder / name for folder in folders for name in (f"{model}.onnx", f"{model}{IMPORTED}", model)]
    for path in (Path(model).expanduser(), *named):
        if path.is_file():
            return path
    files = [path.name for folder in folders for kind in (".onnx", IMPORTED) for path in folder.glob(f"*{kind}")]
    known = ", ".join(sorted(name.removesuffix(IMPORTED).removesuffix(".onnx") for name in files)) or "none"
    raise Misconfigured(
        f"There is no model {model!r}: set LOOKALIKE_MODEL to an ONNX file or to one of: {known}. "
        "A ResNet-50 comes with `lookalike model fetch resnet50`."
    )


def card_at(path: Path) -> ModelCard:
    """The card of a model file, or of imported vectors. Raises Misconfigured if it does not fit the contract."""
    if path.name.endswith(IMPORTED):
        return read_imported(path)
    try:
        return read_card(path)
    except ContractBroken as error:
        raise Misconfigured(str(error)) from error


def _opened(path: Path, provider: str) -> tuple[ort.InferenceSession, ModelCard]:
    """A model and its card, loaded once. Raises Misconfigured."""
    try:
        session = open_session(path, provider)
    except Misconfigured:
        raise
    except Exception as error:  # onnxruntime's own classes share no public base
        raise Misconfigured(str(not_loaded(path, error))) from error
    try:
        return session, card_of_session(session, path)
    except ContractBroken as error:
        raise Misconfigured(str(error)) from error


def _open_again(path: Path, provider: str, card: ModelCard) -> ort.InferenceSession:
    """The same model as before. Raises Unfit if it is not there, or another one: its embeddings would not compare."""
    try:
        session = open_session(path, provider)
        metadata = session.get_modelmeta().custom_metadata_map
        found = card_of(metadata, session.get_inputs(), session.get_outputs())
    except Exception as error:  # onnxruntime's own classes share no public base
        reason = str(error).splitlines()[0][:MOST_REASON_CHARS]
        raise Unfit(f"the model {path} cannot be loaded again ({reason}): put it back, or restart") from error
    if found.fingerprint != card.fingerprint:
        raise Unfit(f"the model {path} is another one than before: put the former one back, or restart")
    return session
