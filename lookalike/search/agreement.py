"""How much two rankings agree, and how well one finds what lies in the same folder. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Figures:
    """Means over the queries whose folder holds another photo, each in 0..1; None if there is no such query."""

    map: float | None
    p_at_10: float | None
    r_at_1: float | None


def overlap(one: Sequence[str], other: Sequence[str], count: int) -> float:
    """The share of the first `count` paths, or of the longer list, that both have. Two empty ones agree."""
    first, second = set(one[:count]), set(other[:count])
    most = max(len(first), len(second))
    return len(first & second) / most if most else 1.0


def figures_of(rankings: Sequence[tuple[str, Sequence[str]]], folders: Mapping[str, int], depth: int) -> Figures:
    """Of queries with their neighbours, best first and without themselves; `folders` tells how many photos each has.

    map: mean of the average precision over the first `depth` neighbours (Manning et al., Introduction to Information
    Retrieval, 8.4), of as many of the query's folder as they can be.
    """
    precisions, tens, firsts = [], [], []
    for path, found in rankings:
        folder = str(PurePosixPath(path).parent)
        others = folders.get(folder, 0) - 1
        if others < 1 or not found:
            continue
        right = [str(PurePosixPath(each).parent) == folder for each in found[:depth]]
        hits = [sum(right[: at + 1]) / (at + 1) for at, is_right in enumerate(right) if is_right]
        precisions.append(sum(hits) / min(others, depth))
        tens.append(sum(right[:10]) / len(right[:10]))
        firsts.append(float(right[0]))
    if not precisions:
        return Figures(None, None, None)
    return Figures(*(round(sum(each) / len(each), 4) for each in (precisions, tens, firsts)))
