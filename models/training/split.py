"""Decides what the student learns: the split, the targets and the label classes. Arrays in, arrays out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TARGET_DIMENSIONS = 512  # the pooled feature of a ResNet-18, which is compared with the target directly
FEWEST_PHOTOS_OF_A_CLASS = 5
# A source with that many classes gives up a tenth of them, so that the log shows what is learned of classes
# the student has never seen; the figure that matters most for other people's photos.
CLASSES_TO_SPARE_SOME = 40
SPARED_CLASSES = 0.1
SPARED_PHOTOS = 0.02


@dataclass(frozen=True)
class Syllabus:
    """train, seen and unseen are row numbers, int64; together they are all photos.

    target float32 [n, 512], L2 norm 1; label int64 [n], -1 where there is no class to learn; classes: how many.
    """

    train: NDArray[np.int64]
    seen: NDArray[np.int64]
    unseen: NDArray[np.int64]
    target: NDArray[np.float32]
    label: NDArray[np.int64]
    classes: int


def draw_up(features: NDArray[np.float16], label: NDArray[np.str_], source: NDArray[np.str_], *, seed: int) -> Syllabus:
    """Splits the photos and turns the teacher's features [n, d] into targets.

    A class is a (source, label) pair with at least five photos. Whole classes are spared as `unseen`, and 2 % of
    the other photos as `seen`; mean and PCA of the targets come from the training photos alone.
    """
    rng = np.random.default_rng(seed)
    pair = np.array([f"{s}/{name}" if name else "" for s, name in zip(source, label, strict=True)])
    names, codes, counts = np.unique(pair, return_inverse=True, return_counts=True)
    is_class = (counts >= FEWEST_PHOTOS_OF_A_CLASS) & (names != "")
    spared = np.zeros(len(names), dtype=bool)
    of_source = np.array([name.split("/")[0] for name in names])
    for each in np.unique(of_source[is_class]):
        mine = np.flatnonzero(is_class & (of_source == each))
        if len(mine) >= CLASSES_TO_SPARE_SOME:
            spared[rng.choice(mine, int(len(mine) * SPARED_CLASSES), replace=False)] = True
    unseen = spared[codes]
    seen = ~unseen & (rng.random(len(pair)) < SPARED_PHOTOS)
    train = ~unseen & ~seen
    learned = np.unique(codes[train & is_class[codes]])
    number = np.full(len(names), -1, dtype=np.int64)
    number[learned] = np.arange(len(learned))
    return Syllabus(
        train=np.flatnonzero(train),
        seen=np.flatnonzero(seen),
        unseen=np.flatnonzero(unseen),
        target=principal_components(features, np.flatnonzero(train), TARGET_DIMENSIONS),
        label=number[codes],
        classes=len(learned),
    )


def principal_components(
    features: NDArray[np.float16], fitted_on: NDArray[np.int64], dimensions: int
) -> NDArray[np.float32]:
    """Centred features in their first principal components: float32 [n, dimensions], L2 norm 1.

    Padded with zeros if the features have fewer dimensions. Fitted on the rows `fitted_on`; one chunk at a time,
    since 45,000 x 2560 in float64 would be 0.9 GB.
    """
    width = features.shape[1]
    mean = features[fitted_on].mean(axis=0, dtype=np.float64).astype(np.float32)
    covariance = np.zeros((width, width), dtype=np.float64)
    for start in range(0, len(fitted_on), 4096):
        centred = features[fitted_on[start : start + 4096]].astype(np.float32) - mean
        covariance += centred.T @ centred
    _, vectors = np.linalg.eigh(covariance)
    basis = vectors[:, ::-1][:, :dimensions].astype(np.float32)
    target = np.zeros((len(features), dimensions), dtype=np.float32)
    for start in range(0, len(features), 4096):
        rows = slice(start, start + 4096)
        target[rows, : basis.shape[1]] = (features[rows].astype(np.float32) - mean) @ basis
    length = np.linalg.norm(target, axis=1, keepdims=True)
    return np.asarray(target / np.maximum(length, 1e-12), dtype=np.float32)
