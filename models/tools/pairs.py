"""How well a threshold tells pairs of copies from other pairs: precision and recall. Arrays in, figures out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ASKED_PRECISION = 0.99


@dataclass(frozen=True)
class PairFigures:
    """Of all pairs: those that show one photo are right, those with a cosine of at least the threshold are found.

    `precision` and `recall` at `threshold`, None without one (or, for precision, without a pair found);
    `recall_at_p99` is the largest at a precision of .99 and `threshold_at_p99` where, None if there is none.
    """

    right: int
    threshold: float | None
    precision: float | None
    recall: float | None
    recall_at_p99: float
    threshold_at_p99: float | None


@dataclass(frozen=True)
class PairReport:
    """`all`: every pair among `photos` photos and `copies` copies of them; `by_kind`: the photos with its copies."""

    photos: int
    copies: int
    all: PairFigures
    by_kind: dict[str, PairFigures]


def pair_report(
    originals: NDArray[np.float32], copies: Mapping[str, NDArray[np.float32]], threshold: float | None
) -> PairReport:
    """Row i of `originals` and of each kind's copies, float32 [n, d] of norm 1, shows photo i."""
    return PairReport(
        photos=len(originals),
        copies=len(originals) * len(copies),
        all=pair_figures(*all_pairs(originals, copies), threshold),
        by_kind={
            kind: pair_figures((rows @ originals.T).ravel(), np.eye(len(originals), dtype=bool).ravel(), threshold)
            for kind, rows in copies.items()
        },
    )


def all_pairs(
    originals: NDArray[np.float32], copies: Mapping[str, NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The cosine of every pair among photos and their copies, and whether both show one photo: [m], [m]."""
    every = np.concatenate([originals, *copies.values()])
    photo = np.tile(np.arange(len(originals)), 1 + len(copies))
    above = np.triu_indices(len(every), k=1)
    return (every @ every.T)[above], photo[above[0]] == photo[above[1]]


def pair_figures(scores: NDArray[np.float32], right: NDArray[np.bool_], threshold: float | None) -> PairFigures:
    """scores: the cosine of each pair [m]; right: whether both show one photo [m]. Raises ValueError without any."""
    total = int(right.sum())
    if total == 0:
        raise ValueError("no pair shows one photo, so none can be found")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(right[order])
    # A threshold cannot divide equal scores: only the last of each run of them is a place to cut.
    cuts = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    good = cuts[hits[cuts] >= ASKED_PRECISION * (cuts + 1)]
    best = None if len(good) == 0 else int(good[-1])
    precision = recall = None
    if threshold is not None:
        found = scores >= threshold
        recall = float(right[found].sum() / total)
        precision = float(right[found].mean()) if found.any() else None
    return PairFigures(
        right=total,
        threshold=threshold,
        precision=precision,
        recall=recall,
        recall_at_p99=0.0 if best is None else float(hits[best] / total),
        threshold_at_p99=None if best is None else float(ranked[best]),
    )
