"""Measures a student in training on photos that it does not learn from."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.tools.graph import photo_of
from models.tools.retrieval import copies_found, figures, normalised
from models.training.augment import middle, shrink
from models.training.split import Syllabus
from models.training.student import Student
from models.training.teacher import TeacherDataset

AT_ONCE = 256


def embed(student: Student, pixels: NDArray[np.uint8], px: int, *, bfloat16: bool) -> NDArray[np.float32]:
    """As the exported file does, in two views of `px`: uint8 [n, h, w, 3] -> centred features, float32 [n, 512]."""
    student.eval()
    parts = [torch.from_numpy(pixels[start : start + AT_ONCE]) for start in range(0, len(pixels), AT_ONCE)]
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        return np.concatenate([student(shrink(part, photo_of(px)), views=2).numpy() for part in parts])


def examine(
    student: Student, lesson: TeacherDataset, syllabus: Syllabus, px: int, *, bfloat16: bool
) -> dict[str, float]:
    """Cosine to the teacher and retrieval figures on photos that were not trained on, student and teacher.

    `crop80` is the share of them that are found by their own middle.
    Retrieval is measured for each source apart and averaged over the sources, so that none drowns the others.
    """
    result: dict[str, float] = {}
    for name, rows in (("seen", syllabus.seen), ("unseen", syllabus.unseen)):
        if len(rows) == 0:
            continue
        feature = embed(student, lesson.pixels[rows], px, bfloat16=bfloat16)
        target = syllabus.target[rows]
        length = np.linalg.norm(feature, axis=1)
        result[f"{name}_cosine"] = float(np.mean((feature * target).sum(axis=1) / np.maximum(length, 1e-12)))
        for who, embedding in (("map", feature), ("teacher_map", target)):
            scores = _map_by_source(embedding, lesson.label[rows], lesson.source[rows])
            if scores:
                result[f"{name}_{who}"] = float(np.mean(scores))
    held_out = lesson.pixels[np.concatenate([syllabus.seen, syllabus.unseen])]
    if len(held_out):
        whole = embed(student, held_out, px, bfloat16=bfloat16)
        result["crop80"] = copies_found(
            normalised(whole), normalised(embed(student, middle(held_out), px, bfloat16=bfloat16))
        )
    return result


def _map_by_source(embedding: NDArray[np.float32], label: NDArray[np.str_], source: NDArray[np.str_]) -> list[float]:
    scores = []
    for each in np.unique(source):
        mine = (source == each) & (label != "")
        if len(np.unique(label[mine])) < mine.sum():
            scores.append(figures(embedding[mine], label[mine]).map)
    return scores
