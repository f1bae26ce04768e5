"""The bare loop: the same work without queue, watcher or crash safety, as quick as the same libraries allow.

Its steps are also timed by one process alone: added up they say what a pipeline of nothing else would take.

One process per core takes eight files at a time: read, hash, decode no larger than needed, embed in one run of the
model, and upsert. This is the yardstick for the whole pipeline, so it is kept as quick as we know how: processes and
sessions are warm before the clock starts, no process waits for another, points go out in one request of 64, and
what a payload needs (EXIF) and a queue costs (looking at the index, looking at the file again) is left out.
"""

import hashlib
import io
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from qdrant_client import QdrantClient
from qdrant_client.models import Batch

from lookalike.library.version import folder_version
from models.contract import ModelCard, read_card
from models.onnx_runtime import ort
from models.preprocess import decode_size, prepare
from worker.connecting import CONNECTION_LIMITS
from worker.index.payload import ImageMetadata, indexed_payload, point_id

AT_ONCE = 8
UPSERTED = 64
CORES = os.cpu_count() or 1

Pixels = NDArray[np.uint8]


def decode(blob: bytes, card: ModelCard) -> Pixels:
    """A JPEG or any other photo as model input, uint8 [h, w, 3], decoded at the smallest scale that will do."""
    if blob[:2] == b"\xff\xd8":
        height, width, _, _ = simplejpeg.decode_jpeg_header(blob)
        least_width, least_height = decode_size((width, height), card)
        pixels = simplejpeg.decode_jpeg(
            blob, colorspace="RGBX", min_width=least_width, min_height=least_height, min_factor=1.5
        )
        size = (pixels.shape[1], pixels.shape[0])
        return prepare(Image.frombytes("RGB", size, pixels, "raw", "RGBX"), card)
    return prepare(Image.open(io.BytesIO(blob)).convert("RGB"), card)


def session(model: Path) -> ort.InferenceSession:
    """One thread: the other cores have processes of their own."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


class Steps(NamedTuple):
    """Seconds per image of one core for each step of the bare loop."""

    read_and_hash: float
    decode: float
    embed: float
    upsert: float


def steps(model: Path, paths: Sequence[Path], store_url: str, collection: str) -> Steps:
    """The steps of the bare loop in this process, one after another."""
    loop = _Loop(model, paths, store_url, collection)
    loop.run([*range(min(AT_ONCE, len(paths)))])
    loop.points.send()
    loop.spent = [0.0] * len(Steps._fields)
    for first in range(0, len(paths), AT_ONCE):
        loop.run([*range(first, min(first + AT_ONCE, len(paths)))])
    loop.timed(3, loop.points.send)
    return Steps(*(spent / len(paths) for spent in loop.spent))


def bare_loop(model: Path, paths: Sequence[Path], store_url: str, collection: str) -> float:
    """Images per second of all cores together, everything included."""
    return _on_all_cores(_index, len(paths), model, paths, store_url, collection)


def decode_only(model: Path, paths: Sequence[Path]) -> float:
    """Images per second of all cores together: read and decode, nothing else."""
    return _on_all_cores(_decode, len(paths), model, paths)


def embed_only(model: Path, count: int) -> float:
    """Images per second of all cores together: runs of the model on pictures that are there already."""
    return _on_all_cores(_embed, count, model)


Take = Callable[[], range]


class _Loop:
    """The bare loop over these files; `spent` has the seconds of each step."""

    def __init__(self, model: Path, paths: Sequence[Path], store_url: str, collection: str) -> None:
        self._card, self._network, self._paths = read_card(model), session(model), paths
        client = QdrantClient(url=store_url, check_compatibility=False, limits=CONNECTION_LIMITS)
        self.points = _Points(client, collection)
        self.spent = [0.0] * len(Steps._fields)
        self._network.run(None, {"image": np.stack([decode(paths[0].read_bytes(), self._card)] * AT_ONCE)})

    def run(self, numbers: Sequence[int]) -> None:
        """Indexes the files of these numbers."""
        paths = [self._paths[number] for number in numbers]
        blobs, hashes = self.timed(0, lambda: _read_and_hash(paths))
        pixels = self.timed(1, lambda: np.stack([decode(blob, self._card) for blob in blobs]))
        outputs = self.timed(2, lambda: self._network.run(None, {"image": pixels}))
        self.timed(3, lambda: self.points.add(paths, hashes, blobs, outputs))

    def timed(self, step: int, work: Callable[[], Any]) -> Any:
        """What `work` returns; its time is that of the step."""
        begun = time.perf_counter()
        try:
            return work()
        finally:
            self.spent[step] += time.perf_counter() - begun


def _read_and_hash(paths: Sequence[Path]) -> tuple[list[bytes], list[str]]:
    blobs = [path.read_bytes() for path in paths]
    return blobs, [hashlib.sha256(blob).hexdigest() for blob in blobs]


def _index(model: Path, paths: Sequence[Path], store_url: str, collection: str) -> Callable[[Take], None]:
    loop = _Loop(model, paths, store_url, collection)

    def work(take: Take) -> None:
        while numbers := take():
            loop.run(numbers)
        loop.points.send()

    return work


def _decode(model: Path, paths: Sequence[Path]) -> Callable[[Take], None]:
    card = read_card(model)
    decode(paths[0].read_bytes(), card)

    def work(take: Take) -> None:
        while numbers := take():
            for number in numbers:
                decode(paths[number].read_bytes(), card)

    return work


def _embed(model: Path) -> Callable[[Take], None]:
    card, network = read_card(model), session(model)
    pixels = np.random.default_rng(0).integers(0, 256, (AT_ONCE, card.height_px, card.width_px, 3), dtype=np.uint8)
    network.run(None, {"image": pixels})

    def work(take: Take) -> None:
        while numbers := take():
            network.run(None, {"image": pixels[: len(numbers)]})

    return work


class _Points:
    """Collects points and upserts them together, with as many of the model's outputs as the collection has vectors."""

    def __init__(self, client: QdrantClient, collection: str) -> None:
        self._client, self._collection = client, collection
        kept = client.get_collection(collection).config.params.vectors
        # In the order of the model's outputs.
        self._names = [name for name in ("image", "copy") if isinstance(kept, dict) and name in kept]
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        self._payloads: list[dict[str, Any]] = []
        self._vectors: dict[str, list[list[float]]] = {name: [] for name in self._names}

    def add(
        self,
        paths: Sequence[Path],
        hashes: Sequence[str],
        blobs: Sequence[bytes],
        outputs: Sequence[NDArray[np.float32]],
    ) -> None:
        self._payloads += [
            indexed_payload(
                path.name, folder_version(len(blob), 0), ImageMetadata(sha256, "JPEG", 0, 0, None), self._now, "bench"
            )
            for path, sha256, blob in zip(paths, hashes, blobs, strict=True)
        ]
        for name, vectors in zip(self._names, outputs, strict=False):
            self._vectors[name] += vectors.tolist()
        if len(self._payloads) >= UPSERTED:
            self.send()

    def send(self) -> None:
        if self._payloads:
            batch = Batch(
                ids=[point_id(payload["path"]) for payload in self._payloads],
                vectors={name: [*vectors] for name, vectors in self._vectors.items()},
                payloads=self._payloads,
            )
            self._client.upsert(self._collection, points=batch, wait=True)
            self._payloads, self._vectors = [], {name: [] for name in self._names}


def _on_all_cores(prepare_work: Callable[..., Callable[[Take], None]], count: int, *arguments: Any) -> float:
    """Starts a process per core, lets all get ready, and measures from the start signal until the last one is done."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(CORES + 1)
    nextone = context.Value("q", 0)
    workers = [
        context.Process(target=_run, args=(prepare_work, count, gate, nextone, arguments), daemon=True)
        for _ in range(CORES)
    ]
    for worker in workers:
        worker.start()
    try:
        gate.wait()
        begun = time.perf_counter()
        # Not until they have ended: that takes them another third of a second.
        gate.wait()
        took_s = time.perf_counter() - begun
    except threading.BrokenBarrierError as error:
        raise RuntimeError("a process of the bare loop failed") from error
    for worker in workers:
        worker.join()
    return count / took_s


def _run(prepare_work: Callable[..., Callable[[Take], None]], count: int, gate: Any, nextone: Any, given: Any) -> None:
    def take() -> range:
        with nextone.get_lock():
            first = nextone.value
            nextone.value = min(count, first + AT_ONCE)
            return range(first, nextone.value)

    try:
        work = prepare_work(*given)
        gate.wait()
        work(take)
        gate.wait()
    except Exception:
        gate.abort()
        raise
