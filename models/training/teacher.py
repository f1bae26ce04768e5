"""Computes once what training needs of each photo: the teachers' features, and its pixels at one size.

Kept in a folder as chunks, so that a run that was stopped goes on where it was. Knows nothing of the student.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.preprocess import STRETCH, prepare
from models.tools.embedder import Rule, float_input, open_session
from models.tools.photos import Photo, open_rgb
from models.tools.retrieval import normalised

CHUNK_PHOTOS = 250
BATCH = 8


@dataclass(frozen=True)
class Teacher:
    """An ONNX model to learn from, and the side of its square input in px.

    It takes float32 [n, 3, h, w], ImageNet-normalised, or uint8 [n, h, w, 3] RGB; its first output holds features.
    """

    path: Path
    px: int


@dataclass(frozen=True)
class TeacherDataset:
    """All photos with what the teachers say of them.

    pixels uint8 [n, px, px, 3] RGB, stretched; features float16 [n, d], those of each teacher with length 1 after
    those of the one before; label and source str [n].
    """

    pixels: NDArray[np.uint8]
    features: NDArray[np.float16]
    label: NDArray[np.str_]
    source: NDArray[np.str_]


def build_lesson(
    photos: Iterable[Photo], teachers: Sequence[Teacher], cache: Path, *, px: int, processes: int
) -> TeacherDataset:
    """Computes what `cache` does not hold yet, `processes` single-thread processes at a time, and loads it all.

    Chunks are written whole (a temporary file, then renamed), so killing it loses at most one chunk for each process.
    The cache belongs to one list of photos in one order.
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
            pending.append(pool.submit(_write_chunk, chunk, teachers, paths[-1], px))
            if len(pending) > 2 * processes:  # bounds memory: photos are read no faster than they are taught
                pending.popleft().result()
                print(f"taught photos={CHUNK_PHOTOS * (len(paths) - len(pending))}", flush=True)
        for future in pending:
            future.result()
    return load_lesson(cache)


def features_of(teacher: Teacher, images: Sequence[Image.Image]) -> NDArray[np.float32]:
    """What one teacher sees in upright RGB images: float32 [n, d], L2 norm 1.

    Two views are averaged: the largest centred square, which these networks do best on, and the whole picture
    squeezed and mirrored, so that what lies at the sides counts.
    """
    session = open_session(teacher.path)
    entry, output = session.get_inputs()[0], session.get_outputs()[0].name
    views = ((Rule(teacher.px, teacher.px, "crop:1"), False), (Rule(teacher.px, teacher.px, STRETCH), True))
    features = []
    for start in range(0, len(images), BATCH):
        total: float | NDArray[np.float32] = 0.0
        for rule, mirrored in views:
            batch = np.stack([prepare(image, rule) for image in images[start : start + BATCH]])
            view = np.ascontiguousarray(batch[:, :, ::-1]) if mirrored else batch
            fed = float_input(view) if entry.type == "tensor(float)" else view
            total = total + session.run([output], {entry.name: fed})[0] / len(views)
        features.append(np.asarray(total, dtype=np.float32))
    return normalised(np.concatenate(features))


def _write_chunk(chunk: list[Photo], teachers: Sequence[Teacher], path: Path, px: int) -> None:
    student_rule = Rule(px, px, STRETCH)
    images = [open_rgb(photo.content) for photo in chunk]
    features = [features_of(teacher, images) for teacher in teachers]
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            pixels=np.stack([prepare(image, student_rule) for image in images]),
            features=np.concatenate(features, axis=1).astype(np.float16),
            label=np.array([photo.label for photo in chunk], dtype=np.str_),
            source=np.array([photo.source for photo in chunk], dtype=np.str_),
        )
    partial.replace(path)


def _chunks(photos: Iterable[Photo], size: int) -> Iterator[list[Photo]]:
    iterator = iter(photos)
    while chunk := list(islice(iterator, size)):
        yield chunk


def load_lesson(cache: Path) -> TeacherDataset:
    """What `build_lesson` keeps in that folder. Raises ValueError where there is nothing.

    The chunks are read one after another into arrays made once: no second copy of the pixels in memory.
    """
    paths = sorted(cache.glob("*.npz"))
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
