"""How well embeddings find photos of their own class: mAP, P@10, R@1. Arrays in, figures out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QUERIES_AT_ONCE = 1024  # bounds memory: 1024 x n scores instead of n x n


@dataclass(frozen=True)
class Figures:
    """Means over all queries, each in 0..1. A query is a photo whose class holds another one."""

    map: float
    p_at_10: float
    r_at_1: float


def figures(embeddings: NDArray[np.float32], labels: NDArray[np.str_]) -> Figures:
    """Leave one out: each photo in turn asks, all others answer, ranked by cosine.

    embeddings float32 [n, d], any length (they are normalised here); labels str [n].
    map: mean over queries of the average precision over the whole ranking (Manning et al., Introduction to
    Information Retrieval, 8.4). p_at_10: share of the query's class among the first ten. r_at_1: share of
    queries whose first answer is of their class. Raises ValueError if no class has two photos.
    """
    unit = normalised(embeddings)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    queries = np.flatnonzero(counts[codes] > 1)
    if len(queries) == 0:
        raise ValueError("no class has two photos, so nothing can be found: give a folder of class folders")
    precisions, firsts, tens = [], [], []
    ranks = np.arange(1, len(unit))
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        asking = queries[start : start + QUERIES_AT_ONCE]
        scores = unit[asking] @ unit.T
        scores[np.arange(len(asking)), asking] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :-1]
        right = codes[order] == codes[asking][:, None]
        found = np.cumsum(right, axis=1)
        precisions.append((found / ranks * right).sum(axis=1) / right.sum(axis=1))
        tens.append(right[:, :10].mean(axis=1))
        firsts.append(right[:, 0])
    return Figures(
        map=float(np.concatenate(precisions).mean()),
        p_at_10=float(np.concatenate(tens).mean()),
        r_at_1=float(np.concatenate(firsts).mean()),
    )


def copies_found(originals: NDArray[np.float32], copies: NDArray[np.float32]) -> float:
    """R@1: the share of copies, float32 [n, d] of norm 1, whose nearest original is the one in the same row.

    An original whose embedding equals the right one's (the same photo twice in the folder) counts as right.
    """
    scores = copies @ originals.T
    right = np.take_along_axis(scores, np.arange(len(scores))[:, None], axis=1)[:, 0]
    return float(np.mean(right >= scores.max(axis=1) - 1e-6))


def normalised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same directions with an L2 norm of 1; a zero vector stays zero."""
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.maximum(length, 1e-12), dtype=np.float32)
