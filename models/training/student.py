"""The network in training, and what its training asks of it."""

# torch is not installed where the checks run; its classes are Any there.
# mypy: allow-subclassing-any
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models.tools.resnet import STAGE_CHANNELS, ResNet
from models.tools.window import WINDOW, centre_window, map_side

COSINE_WEIGHT = 10.0
LIKENESS_WEIGHT = 1.0
LABEL_WEIGHT = 0.5
COPY_WEIGHT = 1.0
SHARPER_WEIGHT = 5.0
SPREAD_WEIGHT = 0.2
# A strong copy shows less, and other things: it is drawn towards the photo's place with less force.
SHARE_OF_COPIES = 0.3
LIKENESS_TEMPERATURE = 0.1
COPY_TEMPERATURE = 0.05
LABEL_SCALE = 16.0  # of the cosines to the classes' places: a softmax over cosines themselves would stay flat


class Outputs(NamedTuple):
    """What a student makes of n views, float32 of any length: [n, d], [n, d2], and [n, m] with m = 0 where unasked."""

    embedding: Tensor
    descriptor: Tensor
    sharper: Tensor


class Student(nn.Module):
    """A ResNet with two heads, and two things that only training needs: a classifier, and a head for the sharper view.

    `embedding_head` turns the pooled feature of the last stage into the teachers' principal components, `copy_head`
    that of the stage before, pooled through a window, into a descriptor for copies: what tells a photo from another of
    the same kind is lost in the last stage, which learns to overlook it.
    """

    def __init__(
        self, depth: str, dimension: int, copy_dimension: int, classes: int, *, v1: bool, sharper: int = 0
    ) -> None:
        """sharper: how many values models/training/sharper.py gives, 0 without it."""
        super().__init__()
        self.backbone = ResNet(depth, v1=v1)
        width = self.backbone.dimension
        self.embedding_head = nn.Linear(width, dimension)
        self.copy_head = nn.Linear(width // 2, copy_dimension)
        self.sharper = nn.Linear(width, sharper) if sharper else None
        self.classifier = nn.Parameter(torch.randn(max(classes, 1), dimension))

    def forward(self, maps: Tensor, after: int) -> Outputs:
        """Maps of stage `after`, float32 [n, c, h, w] -> what the heads make of them."""
        last, before = self.features(maps, after)
        with torch.autocast("cpu", enabled=False):
            sharper = last.new_zeros((len(last), 0)) if self.sharper is None else self.sharper(last)
            return Outputs(self.embedding_head(last), self.copy_head(before), sharper)

    def features(self, maps: Tensor, after: int) -> tuple[Tensor, Tensor]:
        """What the two heads see of these maps, float32 [n, f] and [n, f / 2]."""
        sides = (-(-side // 2 ** (len(STAGE_CHANNELS) - 1 - after)) for side in maps.shape[2:])
        window = torch.from_numpy(centre_window(*sides))
        x = maps.contiguous(memory_format=torch.channels_last)
        last, before = self.backbone.last_two(x, after, window)
        return last.float(), before.float()

    def weights(self, px: int) -> dict[str, Tensor]:
        """What export.py takes for an input of that side: torchvision's names, the two heads, and the window."""
        state: dict[str, Tensor] = {name: value.contiguous() for name, value in self.backbone.state_dict().items()}
        heads = {name: value.detach().clone() for name, value in self.state_dict().items() if "_head." in name}
        return state | heads | {WINDOW: torch.from_numpy(centre_window(map_side(px), map_side(px)))}

    def freeze(self, stages: int) -> None:
        """Keeps the stem and the first `stages` stages, which models/training/trunk.py runs, as they are."""
        for name in ["conv1", "bn1", *(f"layer{number}" for number in range(1, stages + 1))]:
            self.backbone.get_submodule(name).requires_grad_(requires_grad=False)

    def take(self, saved: dict[str, Tensor]) -> bool:
        """Starts from what `weights` gave, or from a backbone alone; tells whether heads of this size were there.

        Window and detail head are left out: training makes the one and does without the other.

        Raises ValueError for weights of another network.
        """
        heads = {name: value for name, value in saved.items() if "_head." in name}
        self.backbone.load({name: value for name, value in saved.items() if name not in heads and name != "classifier"})
        wanted = {name: value.shape for name, value in self.state_dict().items() if "_head." in name}
        heads = {name: value for name, value in heads.items() if name in wanted}
        if {name: value.shape for name, value in heads.items()} != wanted:
            return False
        self.load_state_dict(self.state_dict() | heads)
        return True


@dataclass(frozen=True)
class Losses:
    """The parts of a batch's loss, each a scalar with a gradient, already weighted."""

    cosine: Tensor
    likeness: Tensor
    label: Tensor
    copy: Tensor
    spread: Tensor
    sharper: Tensor

    def total(self) -> Tensor:
        """Their sum."""
        return self.cosine + self.likeness + self.label + self.copy + self.spread + self.sharper

    def values(self) -> dict[str, float]:
        """For the log."""
        return {name: float(value.detach()) for name, value in vars(self).items()}


def losses_of(
    student: Student,
    outputs: Outputs,
    target: Tensor,
    label: Tensor,
    *,
    told: Tensor,
    queue: Tensor,
    known: Tensor,
) -> Losses:
    """The losses of a batch of n photos, each shown lightly varied and, n rows below, as a copy.

    outputs: of these 2n views; target [n, d] of length 1; label int64 [n], -1 for none; told [2n, m]: what the sharper
    network makes of the views, m = 0 without one;
    queue [m, d2], descriptors of length 1 of earlier batches, other photos all of them; known [k, d]: the targets of
    all photos that are learned from.
    """
    embedding, descriptor, sharper = outputs
    count = len(target)
    cosines = F.cosine_similarity(embedding, target.repeat(2, 1))
    shares = torch.cat([torch.ones(count), torch.full((count,), SHARE_OF_COPIES)])
    places = F.normalize(student.classifier)
    labelled = label >= 0
    by_label = embedding.new_zeros(())
    if labelled.any():
        found = LABEL_SCALE * F.normalize(embedding[:count][labelled]) @ places.T
        by_label = F.cross_entropy(found, label[labelled])
    descriptors = F.normalize(descriptor)
    return Losses(
        cosine=COSINE_WEIGHT * ((1 - cosines) * shares).sum() / shares.sum(),
        likeness=LIKENESS_WEIGHT * likeness_loss(embedding[:count], target, known),
        label=LABEL_WEIGHT * by_label,
        copy=COPY_WEIGHT * contrastive_loss(descriptors, queue),
        spread=SPREAD_WEIGHT * spread_loss(descriptors[count:], torch.cat([descriptors[:count], queue])),
        sharper=SHARPER_WEIGHT * (1 - F.cosine_similarity(sharper, told)).mean() * float(told.shape[1] > 0),
    )


def likeness_loss(feature: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """How far a photo's likeness to `known` ones is from what the teacher sees. [n, d], [n, d], [k, d] -> scalar.

    Cross-entropy between the softmaxes of the teacher's and the student's cosines to the known targets: the distance
    asks for the right direction, this for the right neighbours. After SEED, arXiv:2101.04731, with the targets of all
    photos in place of a queue.
    """
    wanted = (target @ known.T / LIKENESS_TEMPERATURE).softmax(dim=1)
    found = F.normalize(feature) @ known.T / LIKENESS_TEMPERATURE
    return F.cross_entropy(found, wanted)


def contrastive_loss(descriptors: Tensor, queue: Tensor) -> Tensor:
    """InfoNCE: each of 2n descriptors must know its other half among all others and the queue. -> scalar.

    Row i and row n + i show the same photo. arXiv:2002.05709 (SimCLR), with the queue of arXiv:1912.06798 (XBM).
    """
    total = len(descriptors)
    scores = descriptors @ torch.cat([descriptors, queue]).T / COPY_TEMPERATURE
    scores = scores.masked_fill(torch.eye(total, scores.shape[1], dtype=torch.bool), -torch.inf)
    return F.cross_entropy(scores, torch.arange(total).roll(total // 2))


def spread_loss(descriptors: Tensor, others: Tensor) -> Tensor:
    """The differential entropy term of SSCD (arXiv:2202.10261, eq. 4; KoLeo): -mean log distance to the nearest other.

    Row i of `others` shows the photo of row i of `descriptors` and does not count. -> scalar.
    """
    scores = descriptors @ others.T
    same = torch.eye(len(scores), scores.shape[1], dtype=torch.bool)
    nearest = scores.masked_fill(same, -1.0).max(dim=1).values
    distance = torch.sqrt((2 - 2 * nearest).clamp(min=1e-6))
    return -distance.log().mean()
