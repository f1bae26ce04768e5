"""Learns from batches: the plan of a run, and the student with the mean of its weights and the optimizer."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.training.student import Student, losses_of

QUEUE = 4096  # descriptors of earlier batches that a copy must be told from
HEADS_RATE = 3.0  # times the rate of the backbone
WEIGHT_DECAY = 0.01
CLIP_NORM = 10.0


@dataclass(frozen=True)
class Plan:
    """What decides the weights, apart from the photos.

    `px`: side of the input in use, `train_px` in training, less: crops show things larger than whole photos do (after
    Touvron et al., arXiv:1906.06423). `frozen`: how many stages the trunk has. `labelled`: sources whose labels are
    learned; `held_out`: sources that are measured on alone. `sharper`: the side of the input of the network that tells
    of each view, 0 without one. `regular`: how many photos are shown in each epoch, all if None. `warm_up`,
    `cool_down`: epochs at the start and the end.

    Between them the rate is constant, so that a run may be given more or fewer `epochs` while it goes on (Haegele et
    al., arXiv:2405.18392).
    """

    depth: str
    v1: bool
    train_px: int
    px: int
    frozen: int
    epochs: int
    batch: int
    peak_rate: float
    warm_up: float
    cool_down: float
    average: float
    seed: int
    bfloat16: bool
    labelled: tuple[str, ...]
    held_out: tuple[str, ...]
    sharper: int = 0
    regular: int | None = None

    def rate(self, epoch: float) -> float:
        """The learning rate after so many epochs: linear up to the peak, constant, linear down to zero."""
        share = min(1.0, (epoch + 1e-3) / self.warm_up, (self.epochs - epoch) / self.cool_down)
        return self.peak_rate * max(0.0, share)


class Training:
    """A student, the mean of its recent weights, and the optimizer between them."""

    def __init__(self, student: Student, plan: Plan, known: Tensor) -> None:
        self.known = known
        self.student = student.to(memory_format=torch.channels_last)
        self.average = AveragedModel(self.student, multi_avg_fn=get_ema_multi_avg_fn(plan.average))
        student.freeze(plan.frozen)
        learning = [(name, value) for name, value in student.named_parameters() if value.requires_grad]
        backbone = [value for name, value in learning if name.startswith("backbone.")]
        heads = [value for name, value in learning if not name.startswith("backbone.")]
        groups = [{"params": backbone, "scale": 1.0}, {"params": heads, "scale": HEADS_RATE}]
        self.optimizer = torch.optim.AdamW(groups, lr=plan.rate(0), weight_decay=WEIGHT_DECAY)
        self.queue = torch.zeros(0, student.copy_head.out_features)
        self._learning = [value for _, value in learning]

    def step(
        self, maps: Tensor, told: Tensor, target: Tensor, label: Tensor, *, plan: Plan, epoch: float
    ) -> dict[str, float]:
        """Learns from one batch of the trunk's maps, float32 [2n, c, h, w]; returns the parts of its loss.

        `told`, `target`, `label`: as `losses_of` takes them.

        BatchNorm keeps the statistics of the start weights (`eval`): a batch is small and half of it are copies.
        """
        self.student.eval()
        for group in self.optimizer.param_groups:
            group["lr"] = plan.rate(epoch) * group["scale"]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=plan.bfloat16):
            outputs = self.student(maps, plan.frozen)
        losses = losses_of(self.student, outputs, target, label, told=told, queue=self.queue, known=self.known)
        self.optimizer.zero_grad()
        losses.total().backward()
        nn.utils.clip_grad_norm_(self._learning, CLIP_NORM)
        self.optimizer.step()
        self.average.update_parameters(self.student)
        fresh = F.normalize(outputs.descriptor.detach()[: len(target)])
        self.queue = torch.cat([fresh, self.queue])[:QUEUE]
        return losses.values()

    def state(self) -> dict[str, Any]:
        """All that a run needs to go on."""
        parts = {"student": self.student, "average": self.average, "optimizer": self.optimizer}
        return {name: part.state_dict() for name, part in parts.items()} | {"queue": self.queue}

    def resume(self, saved: dict[str, Any]) -> None:
        """What `state` gave."""
        self.student.load_state_dict(saved["student"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.queue = saved["queue"]
