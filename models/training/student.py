"""The network that learns: a ResNet-18 with what only training needs around it, and its loss. Knows no photos."""

# torch is not installed where the checks run; its classes are Any there.
# mypy: allow-subclassing-any
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models.tools.embedder import IMAGENET_MEAN, IMAGENET_STD
from models.tools.resnet import ResNet, as_float
from models.tools.two_views import averaged, two_views

COSINE_WEIGHT = 10.0
LABEL_WEIGHT = 0.5
TEMPERATURE = 0.1


class Student(nn.Module):
    """A ResNet-18 with what only training needs: the centre of its features, and a classifier on top."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone = ResNet("resnet18")
        # The pooled feature has no negative values and the target has: a learned centre makes up for it. It is
        # stored as `mean_feature`, and the exported graph subtracts it.
        self.mean_feature = nn.Parameter(torch.zeros(self.backbone.dimension))
        self.classifier = nn.Linear(self.backbone.dimension, max(classes, 1))

    def forward(self, pixels: Tensor, views: int = 1) -> Tensor:
        """uint8 [n, 3, h, w] -> the centred feature, float32 [n, 512]: of one view, or the average of two."""
        x = as_float(pixels, IMAGENET_MEAN, IMAGENET_STD)
        x = x if views == 1 else two_views(x)
        pooled: Tensor = self.backbone(x.contiguous(memory_format=torch.channels_last)).float()
        return (pooled if views == 1 else averaged(pooled)) - self.mean_feature

    def weights(self) -> dict[str, Tensor]:
        """What export.py takes: torchvision's names, and `mean_feature`."""
        state: dict[str, Tensor] = dict(self.backbone.state_dict())
        return {name: value.contiguous() for name, value in state.items()} | {
            "mean_feature": self.mean_feature.detach()
        }

    def take(self, saved: dict[str, Any]) -> None:
        """Goes on from what `weights` and the classifier of an earlier run hold.

        The classifier is left as it is when the photos have other classes than those it was trained for.
        Raises ValueError for weights of another network.
        """
        saved = dict(saved)
        classifier = saved.pop("classifier", None)
        mean = saved.pop("mean_feature", None)
        self.backbone.load(saved)
        if mean is not None:
            self.mean_feature.data = mean
        if classifier is not None and classifier["weight"].shape == self.classifier.weight.shape:
            self.classifier.load_state_dict(classifier)


def loss_of(
    student: Student, feature: Tensor, target: Tensor, label: Tensor, likeness_weight: float
) -> tuple[Tensor, float]:
    """The loss of a batch, and the mean cosine to the target.

    Ten times the mean cosine distance, half the label cross-entropy, and `likeness_weight` times `likeness_loss`.
    """
    cosine = F.cosine_similarity(feature, target).mean()
    loss = COSINE_WEIGHT * (1 - cosine)
    known = label >= 0
    if known.any():
        loss = loss + LABEL_WEIGHT * F.cross_entropy(student.classifier(feature[known]), label[known])
    if likeness_weight > 0:
        loss = loss + likeness_weight * likeness_loss(feature, target)
    return loss, float(cosine.detach())


def likeness_loss(feature: Tensor, target: Tensor) -> Tensor:
    """How far a photo's likeness to the photos of its batch is from what the teacher sees. [n, d], [n, d] -> scalar.

    Cross-entropy between the softmaxes of the teacher's and the student's cosines to the teacher's targets: the
    distance asks for the right direction, this for the right neighbour, which is mostly the photo itself. It is what
    tells a cropped photo from its look-alikes. After SEED, arXiv:2101.04731, with the batch in place of a queue.
    """
    wanted = (target @ target.T / TEMPERATURE).softmax(dim=1)
    found = F.normalize(feature) @ target.T / TEMPERATURE
    return F.cross_entropy(found, wanted)
