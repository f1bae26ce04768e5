"""Computes once what training needs of each photo: the teacher's features, and its pixels at one small size.

Kept in a folder as chunks, so that a run that was stopped goes on where it was. Knows nothing of the student.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.preprocess import STRETCH, prepare
from models.tools.embedder import Rule, float_input, open_session
from models.tools.photos import Photo, open_rgb

CHUNK_PHOTOS = 500

# Two views of each photo are averaged: the largest centred square, and the whole picture squeezed and mirrored.
# Over 1,812 labelled training photos of six sources the first had mAP .637 on average, the published
# "short side to 256, centre crop 224" .622 (photos of at most 112 px have no margin to lose).
TEACHER_VIEWS = ((Rule(224, 224, "crop:1"), False), (Rule(224, 224, STRETCH), True))


@dataclass(frozen=True)
class TeacherDataset:
    """All photos with what the teacher says of them.

    pixels uint8 [n, px, px, 3] RGB; features float16 [n, d]; label and source str [n].
    """

    pixels: NDArray[np.uint8]
    features: NDArray[np.float16]
    label: NDArray[np.str_]
    source: NDArray[np.str_]


def build_lesson(photos: Iterable[Photo], teacher: Path, cache: Path, *, px: int, processes: int) -> TeacherDataset:
    """Computes what `cache` does not hold yet, `processes` single-thread processes at a time, and loads it all.

    The teacher is an ONNX file with the float contract: float32 [n, 3, 224, 224], ImageNet-normalised, in;
    features [n, d] out. Chunks are written whole (a temporary file, then renamed), so killing it loses at
    most one chunk for each process. The cache belongs to one list of photos in one order.
    """
    cache.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    pending: deque[Future[None]] = deque()
    context = multiprocessing.get_context("spawn")  # ONNX Runtime's threads do not survive a fork
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for number, chunk in enumerate(_chunks(photos, CHUNK_PHOTOS)):
            paths.append(cache / f"{number:05d}.npz")
            if paths[-1].exists():
                continue
            pending.append(pool.submit(_write_chunk, chunk, teacher, paths[-1], px))
            if len(pending) > 2 * processes:  # bounds memory: photos are read no faster than they are taught
                pending.popleft().result()
                print(f"taught photos={CHUNK_PHOTOS * (len(paths) - len(pending))}", flush=True)
        for future in pending:
            future.result()
    return _load(paths)


def _write_chunk(chunk: list[Photo], teacher: Path, path: Path, px: int) -> None:
    session = open_session(teacher)
    name = session.get_inputs()[0].name
    student_rule = Rule(px, px, STRETCH)
    images = [open_rgb(photo.content) for photo in chunk]
    features = []
    for start in range(0, len(images), 16):
        total: float | NDArray[np.float32] = 0.0
        for rule, mirrored in TEACHER_VIEWS:
            batch = np.stack([prepare(image, rule) for image in images[start : start + 16]])
            view = batch[:, :, ::-1] if mirrored else batch
            total = total + session.run(None, {name: float_input(view)})[0] / len(TEACHER_VIEWS)
        features.append(np.asarray(total, dtype=np.float16))
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            pixels=np.stack([prepare(image, student_rule) for image in images]),
            features=np.concatenate(features),
            label=np.array([photo.label for photo in chunk], dtype=np.str_),
            source=np.array([photo.source for photo in chunk], dtype=np.str_),
        )
    partial.replace(path)


def _chunks(photos: Iterable[Photo], size: int) -> Iterator[list[Photo]]:
    iterator = iter(photos)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _load(paths: list[Path]) -> TeacherDataset:
    """Reads the chunks one after another into arrays made once: no second copy of the pixels in memory."""
    label, source = [], []
    pixels: NDArray[np.uint8] | None = None
    features: NDArray[np.float16] | None = None
    filled = 0
    for path in paths:
        with np.load(path) as chunk:
            label.append(chunk["label"])
            source.append(chunk["source"])
            count = len(label[-1])
            if pixels is None or features is None:
                most = CHUNK_PHOTOS * len(paths)
                pixels = np.empty((most, *chunk["pixels"].shape[1:]), dtype=np.uint8)
                features = np.empty((most, chunk["features"].shape[1]), dtype=np.float16)
            pixels[filled : filled + count] = chunk["pixels"]
            features[filled : filled + count] = chunk["features"]
            filled += count
    if pixels is None or features is None:
        raise ValueError("there are no photos to learn from: name a folder or tar file that holds some")
    return TeacherDataset(pixels[:filled], features[:filled], np.concatenate(label), np.concatenate(source))
