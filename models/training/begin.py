"""What a run begins with: weights, heads in closed form, and the files of the networks that only look on."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.tools.resnet import DEPTHS
from models.training.augment import shrunk
from models.training.heads import Head, as_state, towards, turned, whitening
from models.training.learning import Plan
from models.training.onnx_to_weights import unfold
from models.training.sharper import DIMENSION, FITTED_ON, Sharper, make_sharper
from models.training.split import Syllabus
from models.training.start_weights import read_start_weights
from models.training.student import Student
from models.training.teacher import TeacherDataset
from models.training.trunk import Trunk, write_trunk
from models.training.validate import features_of

CALIBRATION_PHOTOS = 128
NORMALISING_PHOTOS = 512


def start_weights(start: Path, plan: Plan, lesson: TeacherDataset) -> dict[str, Tensor]:
    """Of shards, of a student.pt, or of a model file."""
    if start.is_dir():
        return {name: torch.from_numpy(value.copy()) for name, value in read_start_weights(start).items()}
    if start.suffix == ".onnx":
        few = torch.from_numpy(shrunk(lesson.pixels[:NORMALISING_PHOTOS], plan.px)).permute(0, 3, 1, 2)
        return unfold(start, plan.depth, few, v1=plan.v1)
    weights: dict[str, Tensor] = torch.load(start, weights_only=True)
    return weights


def trunk_of(student: Student, plan: Plan, px: int, lesson: TeacherDataset, out: Path) -> Path:
    """The file of the stages that stay as they are, for this size; made if it is not there yet."""
    path = out / f"trunk{px}.onnx"
    if not path.exists():
        weights = {name: value.numpy() for name, value in student.backbone.state_dict().items()}
        photos = shrunk(lesson.pixels[:CALIBRATION_PHOTOS], px)
        write_trunk(path, weights, DEPTHS[plan.depth].blocks, photos, stages=plan.frozen, v1=plan.v1)
    return path


def sharper_of(source: Path, plan: Plan, lesson: TeacherDataset, syllabus: Syllabus, out: Path) -> Sharper:
    """The network of those weights at plan.sharper px; its files are made if they are not there yet."""
    weights = {
        name: value.numpy()
        for name, value in start_weights(source, plan, lesson).items()
        if name.startswith(("conv1.", "bn1.", "layer"))
    }
    photos = shrunk(lesson.pixels[_shuffled(syllabus, plan)[:FITTED_ON]], plan.sharper)
    return make_sharper(out, weights, DEPTHS[plan.depth].blocks, photos, v1=plan.v1)


def begin(
    student: Student,
    trunk: Trunk,
    lesson: TeacherDataset,
    syllabus: Syllabus,
    plan: Plan,
    *,
    has_heads: bool,
    sharper: Sharper | None = None,
) -> None:
    """Gives heads that are not there yet their first weights in closed form, and each class its place.

    Heads that are there are turned to the targets of these photos.
    """
    rows = _shuffled(syllabus, plan)
    rows = rows[:FITTED_ON] if has_heads else rows
    last, before = features_of(student, trunk, lesson.pixels[rows], plan)
    if has_heads:
        head = student.embedding_head
        given: Head = head.weight.detach().numpy(), head.bias.detach().numpy()
        heads = as_state("embedding_head", turned(given, last, syllabus.target[rows]))
    else:
        heads = as_state("embedding_head", towards(last, syllabus.target[rows]))
        heads |= as_state("copy_head", whitening(before, student.copy_head.out_features))
    if sharper is not None:
        views = shrunk(lesson.pixels[rows[:FITTED_ON]], sharper.px)
        heads |= as_state("sharper", towards(last[:FITTED_ON], sharper.targets(views)))
    student.load_state_dict(student.state_dict() | heads)
    for number in range(len(student.classifier)):  # the mean of its photos' targets
        mine = syllabus.target[syllabus.train][syllabus.label[syllabus.train] == number]
        if len(mine):
            student.classifier.data[number] = torch.from_numpy(mine.mean(axis=0))


def sharper_values(plan: Plan) -> int:
    """How many values it gives of each view."""
    return DIMENSION if plan.sharper else 0


def _shuffled(syllabus: Syllabus, plan: Plan) -> NDArray[np.int64]:
    """The training photos, those to fit on first."""
    return np.random.default_rng(plan.seed).permutation(syllabus.train)
