"""Gives the two heads of a student their first weights in closed form, from what the start network makes of photos."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Of the mean variance of a feature. What it does to held-out classes: docs/decisions/0004-model.md.
RIDGE = 0.3
COPY_RIDGE = 0.03
SHARE_OF_STRENGTH = 0.25  # 0: as strong as they tell photos apart; .5: all alike
SMALLEST_VARIANCE = 1e-6  # of the largest: fewer photos than dimensions leave some without any
WHITENED_BY = 0.5  # exponent of the variances that the copy head divides by: .5 whitens

Head = tuple[NDArray[np.float32], NDArray[np.float32]]


def towards(features: NDArray[np.float32], target: NDArray[np.float32], ridge: float = RIDGE) -> Head:
    """Ridge regression: weight [d, f] and bias [d] that bring features [n, f] nearest to targets [n, d]."""
    mean, aim = features.mean(axis=0, dtype=np.float64), target.mean(axis=0, dtype=np.float64)
    centred = features - mean
    covariance = centred.T @ centred / len(centred)
    covariance[np.diag_indices_from(covariance)] += ridge * np.trace(covariance) / len(covariance)
    weight = np.linalg.solve(covariance, centred.T @ (target - aim) / len(centred)).T
    return weight.astype(np.float32), (aim - weight @ mean).astype(np.float32)


def turned(head: Head, features: NDArray[np.float32], target: NDArray[np.float32]) -> Head:
    """The head, turned so that what it makes of features [n, f] lies as near to targets [n, d] as a rotation brings it.

    Principal components of other photos are other axes, of the same space mostly. Orthogonal Procrustes (Schönemann,
    1966).
    """
    made = features @ head[0].T + head[1]
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
    left, _, right = np.linalg.svd(made.T @ target)
    turn = (left @ right).astype(np.float32)
    return turn.T @ head[0], head[1] @ turn


def whitening(features: NDArray[np.float32], dimensions: int, exponent: float = WHITENED_BY) -> Head:
    """The first principal components of features [n, f], each over its deviation to the power 2 x `exponent`."""
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    variances, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(-variances)[:dimensions]
    strength = np.maximum(variances[order], SMALLEST_VARIANCE * variances.max())
    weight = (vectors[:, order] / strength**exponent).T
    return weight.astype(np.float32), (-weight @ mean).astype(np.float32)


def discriminant(views: NDArray[np.float32], dimensions: int, ridge: float = COPY_RIDGE) -> Head:
    """The directions that tell photos apart and do not change between copies of one: weight [d, f] and bias [d].

    views [n, k, f]: features of n photos in k copies each. Linear discriminant analysis with a class for each photo:
    what differs within a photo is whitened, and of the rest the first components are kept, each by its deviation.
    """
    mean = views.mean(axis=1, dtype=np.float64)
    within = (views - mean[:, np.newaxis]).reshape(-1, views.shape[2])
    covariance = within.T @ within / len(within)
    covariance[np.diag_indices_from(covariance)] += ridge * np.trace(covariance) / len(covariance)
    variances, vectors = np.linalg.eigh(covariance)
    white = (vectors / np.sqrt(variances)).T
    between = (mean - mean.mean(axis=0)) @ white.T
    strengths, turn = np.linalg.eigh(between.T @ between / len(between))
    order = np.argsort(-strengths)[:dimensions]
    strength = np.maximum(strengths[order], SMALLEST_VARIANCE * strengths.max())
    weight = (turn[:, order] / strength**SHARE_OF_STRENGTH).T @ white
    return weight.astype(np.float32), (-weight @ mean.mean(axis=0)).astype(np.float32)


def as_state(name: str, head: Head) -> dict[str, Tensor]:
    """A head under the names that a student and export.py use."""
    return {f"{name}.weight": torch.from_numpy(head[0]), f"{name}.bias": torch.from_numpy(head[1])}
