"""Decides what the student learns: the split, the targets and the label classes. Arrays in, arrays out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.tools.retrieval import normalised

FEWEST_PHOTOS_OF_A_CLASS = 5
NO_LABEL = ("", "_")
# A source with that many classes gives up a fifth of them, so that the log shows what is learned of classes
# the student has never seen; the figure that matters most for other people's photos.
CLASSES_TO_SPARE_SOME = 30
SPARED_CLASSES = 0.2
SPARED_PHOTOS = 0.02
SPARE_COLUMNS, ITERATIONS = 32, 5
WHITENED_BY = 0.5
SMALLEST_DEVIATION = 1e-3  # of a column of targets; those that are padding have none


@dataclass(frozen=True)
class Syllabus:
    """train, more, seen and unseen are row numbers, int64; together they are all photos.

    `more` are learned from too, a part of them at a time, and decide nothing else.
    target float32 [n, d], L2 norm 1; label int64 [n], -1 where there is no class to learn; classes: how many.
    """

    train: NDArray[np.int64]
    more: NDArray[np.int64]
    seen: NDArray[np.int64]
    unseen: NDArray[np.int64]
    target: NDArray[np.float32]
    label: NDArray[np.int64]
    classes: int


@dataclass(frozen=True)
class Parts:
    """Which photos are for what: row numbers, int64; together they are all photos. `codes`: the class of each photo."""

    train: NDArray[np.int64]
    seen: NDArray[np.int64]
    unseen: NDArray[np.int64]
    codes: NDArray[np.int64]
    is_class: NDArray[np.bool_]


def divide(label: NDArray[np.str_], source: NDArray[np.str_], *, held_out: Sequence[str] = (), seed: int) -> Parts:
    """Spares whole classes as `unseen`, the sources named in `held_out` too, and 2 % of the other photos as `seen`.

    A class is a (source, label) pair with at least five photos; `is_class` tells it of each code.
    """
    rng = np.random.default_rng(seed)
    pair = np.array(["" if name in NO_LABEL else f"{s}/{name}" for s, name in zip(source, label, strict=True)])
    names, codes, counts = np.unique(pair, return_inverse=True, return_counts=True)
    is_class = (counts >= FEWEST_PHOTOS_OF_A_CLASS) & (names != "")
    spared = np.zeros(len(names), dtype=bool)
    of_source = np.array([name.split("/")[0] for name in names])
    for each in np.unique(of_source[is_class]):
        mine = np.flatnonzero(is_class & (of_source == each))
        if len(mine) >= CLASSES_TO_SPARE_SOME:
            spared[rng.choice(mine, int(len(mine) * SPARED_CLASSES), replace=False)] = True
    unseen = spared[codes] | np.isin(source, held_out)
    seen = ~unseen & (rng.random(len(pair)) < SPARED_PHOTOS)
    train = ~unseen & ~seen
    return Parts(np.flatnonzero(train), np.flatnonzero(seen), np.flatnonzero(unseen), codes, is_class)


def draw_up(
    features: NDArray[np.float16],
    label: NDArray[np.str_],
    source: NDArray[np.str_],
    *,
    dimensions: int,
    labelled: Sequence[str] | None = None,
    held_out: Sequence[str] = (),
    seed: int,
    regular: int | None = None,
) -> Syllabus:
    """Divides the photos and turns the teachers' features [n, f] into targets [n, dimensions].

    Mean, PCA and deviations of the targets come from the training photos alone. labelled: sources whose classes are to
    be learned, all if not given; the labels of the others decide nothing but the division. regular: how many photos are
    so; those after them are `more`.
    """
    parts = divide(label, source, held_out=held_out, seed=seed)
    is_regular = parts.train < (len(label) if regular is None else regular)
    train, more = parts.train[is_regular], parts.train[~is_regular]
    taught = train if labelled is None else train[np.isin(source[train], labelled)]
    learned = np.unique(parts.codes[taught])
    learned = learned[parts.is_class[learned]]
    number = np.full(len(parts.is_class), -1, dtype=np.int64)
    number[learned] = np.arange(len(learned))
    return Syllabus(
        train=train,
        more=more,
        seen=parts.seen,
        unseen=parts.unseen,
        target=whitened(principal_components(features, train, dimensions), train),
        label=number[parts.codes],
        classes=len(learned),
    )


def whitened(target: NDArray[np.float32], fitted_on: NDArray[np.int64]) -> NDArray[np.float32]:
    """Each column over its deviation to the power .5, and rows of length 1 again: float32 [n, d].

    Principal components are uneven: without it the first few decide every likeness. Why .5:
    docs/decisions/0004-model.md.
    """
    deviation = np.maximum(target[fitted_on].std(axis=0), SMALLEST_DEVIATION)
    return normalised(target / deviation**WHITENED_BY)


def principal_components(
    features: NDArray[np.float16], fitted_on: NDArray[np.int64], dimensions: int
) -> NDArray[np.float32]:
    """Centred features in their first principal components: float32 [n, dimensions], L2 norm 1.

    Padded with zeros if the features have fewer dimensions. Fitted on the rows `fitted_on`, by subspace iteration
    (Halko et al., arXiv:0909.4061, algorithm 4.4): seconds where an eigendecomposition of 6,400 columns takes minutes.
    """
    width = features.shape[1]
    mean = features[fitted_on].mean(axis=0, dtype=np.float64).astype(np.float32)
    fitted = features[fitted_on].astype(np.float32) - mean
    columns = min(width, dimensions + SPARE_COLUMNS)
    subspace = np.random.default_rng(0).normal(size=(width, columns)).astype(np.float32)
    for _ in range(ITERATIONS):
        subspace, _ = np.linalg.qr(fitted.T @ (fitted @ subspace))
    turn = np.linalg.svd(fitted @ subspace, full_matrices=False)[2]
    basis = (subspace @ turn.T)[:, :dimensions]
    target = np.zeros((len(features), dimensions), dtype=np.float32)
    target[:, : basis.shape[1]] = (features.astype(np.float32) - mean) @ basis
    length = np.linalg.norm(target, axis=1, keepdims=True)
    return np.asarray(target / np.maximum(length, 1e-12), dtype=np.float32)
