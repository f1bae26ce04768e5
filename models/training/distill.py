"""Trains the ResNet-18 that ships: it learns to place photos as the teacher does, and to tell classes apart.

    python -m models.training.distill PHOTOS... --teacher TEACHER.onnx --out FOLDER

PHOTOS are folders of class folders or tar files (models/tools/photos.py); TEACHER is any ONNX model with the float
contract (float32 [n, 3, 224, 224] in, features out). FOLDER receives the teacher's features (once), a
checkpoint after each epoch, log.jsonl and student.pt; the same command goes on after a stop. Runs on the CPU.

The recipe and what else was tried: docs/decisions/0004-model.md.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models.tools.photos import read_photos
from models.training.augment import shrink, vary
from models.training.onnx_to_weights import unfold
from models.training.split import Syllabus, draw_up
from models.training.student import Student, loss_of
from models.training.teacher import TeacherDataset, build_lesson
from models.training.validate import examine

STORE_PX = 112  # of the kept pixels: what crops are cut from
BATCH = 256
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-5
CLIP_NORM = 20.0


@dataclass(frozen=True)
class Plan:
    """What decides the weights, apart from the photos.

    `epochs_px` holds the input size of each epoch; `unlabelled` the sources whose labels are not looked at.
    """

    epochs_px: tuple[int, ...]
    peak_rate: float
    warm_up: float
    seed: int
    bfloat16: bool
    likeness_weight: float
    unlabelled: tuple[str, ...]

    def rate(self, progress: float) -> float:
        """The learning rate at `progress` in 0..1: linear up to the peak, then a half cosine down to zero.

        One cycle after Smith and Topin, arXiv:1708.07120.
        """
        if progress < self.warm_up:
            return self.peak_rate * max(progress, 1e-3) / self.warm_up
        return self.peak_rate * 0.5 * (1 + math.cos(math.pi * (progress - self.warm_up) / (1 - self.warm_up)))


def train_epoch(
    student: Student,
    optimizer: torch.optim.SGD,
    lesson: TeacherDataset,
    syllabus: Syllabus,
    plan: Plan,
    *,
    epoch: int,
) -> dict[str, float]:
    """One pass over the training photos; returns the mean loss and cosine.

    The generator is seeded by the epoch, so a resumed run sees the same crops in the same order.
    """
    generator = torch.Generator().manual_seed(plan.seed * 1000 + epoch)
    order = syllabus.train[torch.randperm(len(syllabus.train), generator=generator).numpy()]
    # A last batch of one photo would break BatchNorm, and a few odd photos more or less mean nothing.
    batches = max(1, len(order) // BATCH)
    student.train()
    losses, cosines = [], []
    for number in range(batches):
        rate = plan.rate((epoch + number / batches) / len(plan.epochs_px))
        for group in optimizer.param_groups:
            group["lr"] = rate
        rows = np.sort(order[number * BATCH : (number + 1) * BATCH])
        pixels = vary(torch.from_numpy(lesson.pixels[rows]), plan.epochs_px[epoch], generator)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=plan.bfloat16):
            feature = student(pixels)
        loss, cosine = loss_of(
            student,
            feature,
            torch.from_numpy(syllabus.target[rows]),
            torch.from_numpy(syllabus.label[rows]),
            plan.likeness_weight,
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), CLIP_NORM)
        optimizer.step()
        losses.append(float(loss.detach()))
        cosines.append(cosine)
    return {"loss": float(np.mean(losses)), "cosine": float(np.mean(cosines))}


def print_line(line: dict[str, Any]) -> None:
    """One epoch as `key=value` pairs."""
    print(" ".join(f"{key}={value}" for key, value in line.items()), flush=True)


def run(
    lesson: TeacherDataset,
    plan: Plan,
    out: Path,
    *,
    start: Path | None = None,
    report: Callable[[dict[str, Any]], None] = print_line,
) -> None:
    """Trains by `plan`, from `out`'s checkpoint if there is one, else from `start`'s weights, else from nothing.

    `report` is called after each epoch, when its checkpoint and log line are written. Raises ValueError when the
    checkpoint was made by another plan.
    """
    torch.manual_seed(plan.seed)
    taught = np.where(np.isin(lesson.source, plan.unlabelled), "", lesson.label)
    syllabus = draw_up(lesson.features, taught, lesson.source, seed=plan.seed)
    student = Student(syllabus.classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        student.parameters(), lr=plan.rate(0), momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    checkpoint = out / "checkpoint.pt"
    done = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["plan"] != json.dumps(asdict(plan)):
            raise ValueError(f"{checkpoint} belongs to the plan {saved['plan']}: give that, or another --out")
        student.load_state_dict(saved["student"])
        optimizer.load_state_dict(saved["optimizer"])
        done = saved["epochs"]
    elif start is not None:
        student.take(_start_weights(start, lesson, plan.epochs_px[0]))
    else:
        first = torch.from_numpy(lesson.pixels[syllabus.train[:BATCH]])
        student.mean_feature.data = student(shrink(first, plan.epochs_px[0])).mean(dim=0).detach()
    for epoch in range(done, len(plan.epochs_px)):
        began = time.monotonic()
        line: dict[str, Any] = {"epoch": epoch + 1, "px": plan.epochs_px[epoch]}
        line |= train_epoch(student, optimizer, lesson, syllabus, plan, epoch=epoch)
        line |= examine(student, lesson, syllabus, plan.epochs_px[epoch], bfloat16=plan.bfloat16)
        line["took_s"] = time.monotonic() - began
        state = {"student": student.state_dict(), "optimizer": optimizer.state_dict()}
        _save({**state, "epochs": epoch + 1, "plan": json.dumps(asdict(plan))}, checkpoint)
        _save({**student.weights(), "classifier": student.classifier.state_dict()}, out / "student.pt")
        rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in line.items()}
        with (out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(rounded) + "\n")
        report(rounded)


def _start_weights(start: Path, lesson: TeacherDataset, px: int) -> dict[str, Any]:
    """Of a student.pt, or of a model file."""
    if start.suffix == ".onnx":
        return dict(unfold(start, "resnet18", shrink(torch.from_numpy(lesson.pixels[: 2 * BATCH]), px)))
    weights: dict[str, Any] = torch.load(start, weights_only=True)
    return weights


def _save(state: dict[str, Any], path: Path) -> None:
    """Renamed into place: a run that is killed while it writes leaves the last whole checkpoint."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def epochs_of(text: str) -> tuple[int, ...]:
    """`48x20,64x15` -> 20 epochs at 48 px, then 15 at 64. Raises argparse.ArgumentTypeError."""
    try:
        pairs = [tuple(int(number) for number in part.split("x")) for part in text.split(",")]
        epochs = tuple(px for px, count in pairs for _ in range(count))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no schedule: write SIZExEPOCHS,... as 48x20,64x15") from error
    # Five halvings leave nothing of a smaller input, and other sizes have no two views (models/tools/graph.py).
    if not epochs or min(epochs) < 32 or any(px % 8 for px in epochs):  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text!r} needs at least one epoch, of 32 px or more, a multiple of 8")
    return epochs


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.distill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", nargs="+", type=Path, help="folders of class folders, or tar files")
    parser.add_argument("--teacher", type=Path, required=True, help="the ONNX model to learn from")
    parser.add_argument("--out", type=Path, required=True, help="folder for features, checkpoint, log, weights")
    parser.add_argument("--plan", type=epochs_of, default=epochs_of("48x20,64x20"), help="SIZExEPOCHS,...")
    parser.add_argument("--start", type=Path, help="student.pt or model file to begin from")
    parser.add_argument("--peak-rate", type=float, default=1.0, help="highest learning rate")
    parser.add_argument("--warm-up", type=float, default=0.25, help="part of the run before the peak")
    parser.add_argument("--likeness", type=float, default=0.5, help="weight of the likeness within a batch")
    parser.add_argument("--unlabelled", nargs="*", default=[], metavar="SOURCE", help="do not learn these labels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="threads, and processes while the teacher works")
    parser.add_argument("--bfloat16", action="store_true", help="twice as fast on CPUs with AVX512-BF16 or AMX")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    lesson = build_lesson(
        read_photos(given.photos), given.teacher, given.out / "lesson", px=STORE_PX, processes=given.threads
    )
    plan = Plan(
        given.plan,
        given.peak_rate,
        given.warm_up,
        given.seed,
        given.bfloat16,
        given.likeness,
        tuple(given.unlabelled),
    )
    run(lesson, plan, given.out, start=given.start)


if __name__ == "__main__":
    main()
