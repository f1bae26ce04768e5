"""The second look at two pictures: whether one is a near copy of the other. Symmetric, and the same on every machine.

The thresholds are between what was measured on copies of 348 photos of 30 sources and on 684 pairs of other pictures
(docs/duplicates.md).
"""

from dataclasses import dataclass

import numpy as np

from worker.duplicates.agreement import Agreement, agreement, smoothed
from worker.duplicates.alignment import Place, places
from worker.duplicates.refine import Aligned, align, laid_over, sampled
from worker.duplicates.small import Grey, Small, oriented, resized

# Errors of blocks in units of noise (worker/duplicates/agreement.py): what whole pictures and parts of them may have.
WHOLE_LIMIT, PART_LIMIT = 0.65, 1.1
WHOLE_AGREEING, WHOLE_FLAT_AGREEING = 0.94, 0.9
PART_AGREEING, PART_WITHIN, PART_FLAT_WITHIN = 0.6, 0.88, 0.85
# From this part of both pictures on they are whole.
WHOLE_AREA = 0.8
# Text may be laid over so much of the contrast of a picture of which nearly all is seen. Of less, almost nothing may
# be, nor may it be stretched: one thing of two flat drawings agrees, and the rest would pass for laid over it. In
# crops, frames and screenshots of 176 photos .001 was covered (of 95 in 100), and the logarithm of width by height was
# .046 at most; in pairs of drawn suns .08 to .39, and up to .3.
NEARLY_ALL, MOST_COVERED, PART_COVERED, PART_STRETCHED = 0.95, 0.4, 0.1, 0.05
# So many blocks of much contrast have to agree: flat pictures show nothing by which they could be told from others.
LEAST_EVIDENCE = 8.0
# Shapes of pictures that may be whole copies, width by height.
SHAPES_ALIKE = 0.08
# Good enough to look for no better place.
SURE = 0.9
WORTH_A_SEARCH = 0.6
# Levels of a colour difference: a picture below it is grey, one that differs by more is another colour.
GREY_BELOW, RECOLOURED = 3.0, 14.0
MOST_RECOLOURED = 0.1


@dataclass(frozen=True)
class Look:
    """What the second look found: whether it is a near copy, and how much of the pictures agrees, 0 to 1."""

    is_near: bool
    agreeing: float


NOTHING = Look(is_near=False, agreeing=0.0)
UPRIGHT = Place(0.0, swapped=False, orientation=0, scale=1.0, left=0, top=0)


def look(a: Small, b: Small) -> Look:
    """Compares two small pictures in the best place that is found."""
    as_they_are = laid_over(a, b)
    if as_they_are is not None:
        looked, _ = _seen(a, b, UPRIGHT, as_they_are)
        if looked.is_near:
            return looked
    best, best_score = NOTHING, -1.0
    # Most copies are whole and upright; only for others a place is looked for.
    for find in (_upright, places):
        for place in find(a, b):
            looked, score = _look_at(place, a, b)
            if score > best_score:
                best, best_score = looked, score
            if best_score >= SURE:
                return best
        if best_score >= WORTH_A_SEARCH:
            return best
    return best


def _look_at(place: Place, a: Small, b: Small) -> tuple[Look, float]:
    """What is seen in that place, and how good it is: -1 if nothing is."""
    found = align(place, a, b)
    return (NOTHING, -1.0) if found is None else _seen(found[0], found[1], place, found[2])


def _seen(part: Small, whole: Small, place: Place, aligned: Aligned) -> tuple[Look, float]:
    agreed = agreement(aligned, whole.luma)
    if agreed is None:
        return NOTHING, -1.0
    uncovered = 1 - agreed.covered_weight
    stretched = abs(np.log(aligned.warp.scale_x / aligned.warp.scale_y))
    keeps_shape = agreed.share >= NEARLY_ALL or stretched <= PART_STRETCHED
    near = is_near(agreed) and keeps_shape and not _recoloured(part, whole, place, aligned)
    return Look(near, agreed.agreeing(PART_LIMIT) * uncovered), agreed.agreeing(WHOLE_LIMIT) * uncovered


def is_near(agreed: Agreement) -> bool:
    """Whether two aligned pictures are copies, by what is left between them."""
    most_covered = MOST_COVERED if agreed.share >= NEARLY_ALL else PART_COVERED
    if agreed.evidence < LEAST_EVIDENCE or agreed.covered_weight > most_covered:
        return False
    agreeing = agreed.agreeing(WHOLE_LIMIT)
    if agreed.area >= WHOLE_AREA:
        return agreeing >= WHOLE_AGREEING and agreed.flat_agreeing(WHOLE_LIMIT) >= WHOLE_FLAT_AGREEING
    within, flat = agreed.agreeing(PART_LIMIT), agreed.flat_agreeing(PART_LIMIT)
    return agreeing >= PART_AGREEING and within >= PART_WITHIN and flat >= PART_FLAT_WITHIN


def _upright(a: Small, b: Small) -> list[Place]:
    """Both whole and upright, if their shapes are alike."""
    shapes = [small.luma.shape[1] / small.luma.shape[0] for small in (a, b)]
    alike = abs(np.log(shapes[0] / shapes[1])) < SHAPES_ALIKE
    return [UPRIGHT] if alike else []


def _recoloured(part: Small, whole: Small, place: Place, aligned: Aligned) -> bool:
    """Whether both have colours, and other ones in many places."""
    planes = [(part.blue, whole.blue), (part.red, whole.red)]
    for mine in range(2):
        if sum(float(np.abs(pair[mine] - 128).mean()) for pair in planes) < GREY_BELOW:
            return False
    differing: Grey = np.zeros(aligned.valid.shape, np.float32)
    for own, other in planes:
        laid = resized(oriented(own, place.orientation), place.scale)
        seen, _ = sampled(other, aligned.warp, laid.shape)
        differing = np.maximum(differing, np.abs(smoothed(laid) - smoothed(seen)))
    return float((differing[aligned.valid] > RECOLOURED).mean()) > MOST_RECOLOURED
