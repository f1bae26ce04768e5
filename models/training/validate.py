"""Measures a student in training on photos that it does not learn from."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.tools.perturbations import TRANSFORMS
from models.tools.retrieval import copies_found, figures, normalised
from models.training.augment import shrunk
from models.training.learning import Plan
from models.training.split import Syllabus
from models.training.student import Student
from models.training.teacher import TeacherDataset
from models.training.trunk import Trunk

AT_ONCE = 128
COPIES = ("crop50", "turn90", "grey")
COPIES_OF = 200  # photos, or somewhat more


def as_numbers(maps: NDArray[np.uint8], trunk: Trunk) -> Tensor:
    """A trunk's bytes as float32 of the same shape."""
    return (torch.from_numpy(maps).float() - trunk.zero_point) * trunk.scale


def features_of(
    student: Student, trunk: Trunk, pixels: NDArray[np.uint8], plan: Plan
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pooled features of the last stage and the one before it: uint8 [n, s, s, 3] -> float32 [n, f], [n, f / 2]."""
    return _run(trunk, pixels, plan, lambda maps: student.features(maps, plan.frozen))


def embed(
    student: Student, trunk: Trunk, pixels: NDArray[np.uint8], plan: Plan
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """uint8 [n, s, s, 3] -> embeddings [n, d] and copy descriptors [n, d2], float32, L2 norm 1."""
    embeddings, descriptors = _run(trunk, pixels, plan, lambda maps: student(maps, plan.frozen)[:2])
    return normalised(embeddings), normalised(descriptors)


def _run(
    trunk: Trunk, pixels: NDArray[np.uint8], plan: Plan, network: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    firsts, seconds = [], []
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=plan.bfloat16):
        for start in range(0, len(pixels), AT_ONCE):
            maps = trunk.maps(shrunk(pixels[start : start + AT_ONCE], plan.px))
            first, second = network(as_numbers(maps, trunk).contiguous(memory_format=torch.channels_last))
            firsts.append(first.float().numpy())
            seconds.append(second.float().numpy())
    return np.concatenate(firsts), np.concatenate(seconds)


def examine(student: Student, trunk: Trunk, lesson: TeacherDataset, syllabus: Syllabus, plan: Plan) -> dict[str, float]:
    """Cosine to the teachers and retrieval figures on photos that were not trained on, student and target.

    Retrieval is measured for each source apart and averaged over the sources, so that none drowns the others.
    `crop50` and the like: the share of held-out photos that are found by such a copy, by its `copy` descriptor.
    """
    student.eval()
    result: dict[str, float] = {}
    for name, rows in (("seen", syllabus.seen), ("unseen", syllabus.unseen)):
        if len(rows) == 0:
            continue
        embedding, _ = embed(student, trunk, lesson.pixels[rows], plan)
        target = syllabus.target[rows]
        result[f"{name}_cosine"] = float(np.mean((embedding * target).sum(axis=1)))
        for who, vectors in (("map", embedding), ("target_map", target)):
            scores = map_by_source(vectors, lesson.label[rows], lesson.source[rows])
            if scores:
                result[f"{name}_{who}"] = float(np.mean(list(scores.values())))
    held_out = np.concatenate([syllabus.seen, syllabus.unseen])
    if len(held_out):
        photos = lesson.pixels[held_out[:: max(1, len(held_out) // COPIES_OF)]]
        _, originals = embed(student, trunk, photos, plan)
        for kind in COPIES:
            copies = [np.asarray(TRANSFORMS[kind](Image.fromarray(photo)).resize(photo.shape[:2])) for photo in photos]
            _, descriptors = embed(student, trunk, np.stack(copies), plan)
            result[kind] = copies_found(originals, descriptors)
    return result


def map_by_source(
    embedding: NDArray[np.float32], label: NDArray[np.str_], source: NDArray[np.str_]
) -> dict[str, float]:
    """The mAP within each source that has two photos of a class."""
    scores = {}
    for each in np.unique(source):
        mine = (source == each) & (label != "") & (label != "_")
        if 1 < len(np.unique(label[mine])) < mine.sum():
            scores[str(each)] = figures(embedding[mine], label[mine]).map
    return scores
