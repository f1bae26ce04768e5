"""Trains the model that ships: a published ResNet learns to place photos as better teachers do, and to know copies.

    python -m models.training.distill PHOTOS... --start FOLDER --teacher FILE.onnx:PX ... --out FOLDER

PHOTOS are folders of class folders or tar files (models/tools/photos.py); --start is a folder of TensorFlow.js shards
(models/training/start_weights.py), a student.pt, or a model file that we exported. The --out folder receives the
teachers' features (once), a checkpoint after each epoch, log.jsonl and student.pt, which `python -m models.export`
takes; the same command goes on after a stop. Runs on the CPU.

The recipe and what else was tried: docs/decisions/0004-model.md.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.tools.photos import read_photos
from models.tools.resnet import DEPTHS
from models.training.batches import Batches
from models.training.heads import as_state, towards, whitening
from models.training.learning import Plan, Training
from models.training.onnx_to_weights import unfold
from models.training.split import Syllabus, draw_up
from models.training.start_weights import read_start_weights
from models.training.student import Student
from models.training.teacher import Teacher, TeacherDataset, build_lesson
from models.training.trunk import Trunk, write_trunk
from models.training.validate import as_numbers, examine, features_of, shrunk

STORE_PX = 208  # of the kept pixels: what crops are cut from
DIMENSION, COPY_DIMENSION = 256, 256
LOG_EVERY = 20
CALIBRATION_PHOTOS = 128


def print_line(line: dict[str, Any]) -> None:
    """One epoch, or one batch, as `key=value` pairs."""
    print(" ".join(f"{key}={value}" for key, value in line.items()), flush=True)


def run(
    lesson: TeacherDataset,
    plan: Plan,
    out: Path,
    *,
    start: Path,
    workers: int = 0,
    report: Callable[[dict[str, Any]], None] = print_line,
) -> None:
    """Trains by `plan`, from `out`'s checkpoint if there is one, else from `start`'s weights.

    `report` is called after each epoch, when its checkpoint and log line are written. Raises ValueError when the
    checkpoint was made by another plan; the number of epochs may be another.
    """
    torch.manual_seed(plan.seed)
    syllabus = draw_up(
        lesson.features,
        lesson.label,
        lesson.source,
        dimensions=DIMENSION,
        labelled=plan.labelled,
        held_out=plan.held_out,
        seed=plan.seed,
    )
    student = Student(plan.depth, DIMENSION, COPY_DIMENSION, syllabus.classes, v1=plan.v1)
    known = torch.from_numpy(syllabus.target[syllabus.train])
    has_heads = student.take(_start_weights(start, plan, lesson))
    trunks = {px: _trunk(student, plan, px, lesson, out) for px in (plan.train_px, plan.px)}
    whole = Trunk(trunks[plan.px])
    checkpoint = out / "checkpoint.pt"
    done = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if {**json.loads(saved["plan"]), "epochs": plan.epochs} != json.loads(json.dumps(asdict(plan))):
            raise ValueError(f"{checkpoint} belongs to the plan {saved['plan']}: give that, or another --out")
        done = saved["epochs"]
        training = Training(student, plan, known)
        training.resume(saved)
    else:
        begin(student, whole, lesson, syllabus, plan, has_heads=has_heads)
        training = Training(student, plan, known)
        report(_finished(training, whole, lesson, syllabus, plan, out=out, line={"epoch": 0}))
    for epoch in range(done, plan.epochs):
        began = time.monotonic()
        line: dict[str, Any] = {"epoch": epoch + 1}
        rows, seed = syllabus.train, plan.seed * 1000 + epoch
        batches = Batches(
            lesson.pixels, rows, trunk=trunks[plan.train_px], size=plan.batch, px=plan.train_px, seed=seed
        )
        line |= _train_epoch(training, batches, syllabus, plan, epoch=epoch, workers=workers)
        line["took_s"] = round(time.monotonic() - began, 1)
        report(_finished(training, whole, lesson, syllabus, plan, out=out, line=line))


def begin(
    student: Student, trunk: Trunk, lesson: TeacherDataset, syllabus: Syllabus, plan: Plan, *, has_heads: bool
) -> None:
    """Gives heads that are not there yet their first weights in closed form, and each class its place."""
    rows = syllabus.train
    if not has_heads:
        features = features_of(student, trunk, lesson.pixels[rows], plan)
        heads = as_state("embedding_head", towards(features[0], syllabus.target[rows]))
        heads |= as_state("copy_head", whitening(features[1], COPY_DIMENSION))
        student.load_state_dict(student.state_dict() | heads)
    for number in range(syllabus.classes):  # the mean of its photos' targets
        place = syllabus.target[rows][syllabus.label[rows] == number].mean(axis=0)
        student.classifier.data[number] = torch.from_numpy(place)


def _trunk(student: Student, plan: Plan, px: int, lesson: TeacherDataset, out: Path) -> Path:
    """The file of the stages that stay as they are, for this size; made if it is not there yet."""
    path = out / f"trunk{px}.onnx"
    if not path.exists():
        weights = {name: value.numpy() for name, value in student.backbone.state_dict().items()}
        photos = shrunk(lesson.pixels[:CALIBRATION_PHOTOS], px)
        write_trunk(path, weights, DEPTHS[plan.depth].blocks, photos, stages=plan.frozen, v1=plan.v1)
    return path


def _train_epoch(
    training: Training, batches: Batches, syllabus: Syllabus, plan: Plan, *, epoch: int, workers: int
) -> dict[str, float]:
    """One pass over the training photos; returns the mean of each part of the loss."""
    training.queue = training.queue[:0]  # the photos of the last epoch come again
    sums: dict[str, float] = {}
    for number, (rows, maps) in enumerate(_loaded(batches, workers)):
        target, label = torch.from_numpy(syllabus.target[rows]), torch.from_numpy(syllabus.label[rows])
        now = epoch + number / len(batches)
        parts = training.step(as_numbers(maps, batches.trunk), target, label, plan, now)
        sums = {name: sums.get(name, 0.0) + value for name, value in parts.items()}
        if number % LOG_EVERY == 0:
            print_line({"batch": f"{number}/{len(batches)}"} | {name: round(value, 3) for name, value in parts.items()})
    return {name: round(value / len(batches), 4) for name, value in sums.items()}


def _loaded(batches: Batches, workers: int) -> Iterator[tuple[Any, Any]]:
    """The batches in order, made by that many processes in advance; by this one if 0."""
    loader = torch.utils.data.DataLoader(batches, batch_size=None, num_workers=workers, collate_fn=lambda batch: batch)
    yield from loader


def _finished(
    training: Training,
    trunk: Trunk,
    lesson: TeacherDataset,
    syllabus: Syllabus,
    plan: Plan,
    *,
    out: Path,
    line: dict[str, Any],
) -> dict[str, Any]:
    """Examines the averaged weights, then writes checkpoint, weights and log; returns the line of the log."""
    student: Student = training.average.module
    line |= examine(student, trunk, lesson, syllabus, plan)
    _save({**training.state(), "epochs": line["epoch"], "plan": json.dumps(asdict(plan))}, out / "checkpoint.pt")
    _save(student.weights(plan.px), out / "student.pt")
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in line.items()}
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(rounded) + "\n")
    return rounded


def _start_weights(start: Path, plan: Plan, lesson: TeacherDataset) -> dict[str, Tensor]:
    """Of shards, of a student.pt, or of a model file."""
    if start.is_dir():
        return {name: torch.from_numpy(value.copy()) for name, value in read_start_weights(start).items()}
    if start.suffix == ".onnx":
        few = torch.from_numpy(shrunk(lesson.pixels[:512], plan.px)).permute(0, 3, 1, 2)
        return unfold(start, plan.depth, few, v1=plan.v1)
    weights: dict[str, Tensor] = torch.load(start, weights_only=True)
    return weights


def _save(state: dict[str, Any], path: Path) -> None:
    """Renamed into place: a run that is killed while it writes leaves the last whole checkpoint."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def teacher_of(text: str) -> Teacher:
    """`FILE.onnx:240` -> the file and the side of its input in px; 224 if none is given."""
    path, _, px = text.rpartition(":") if text.rpartition(":")[2].isdecimal() else (text, "", "224")
    return Teacher(Path(path), int(px))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.distill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", nargs="+", type=Path, help="folders of class folders, or tar files")
    parser.add_argument("--start", type=Path, required=True, help="shards' folder, student.pt or model file")
    parser.add_argument("--teacher", type=teacher_of, nargs="+", required=True, metavar="FILE[:PX]")
    parser.add_argument("--out", type=Path, required=True, help="folder for features, checkpoint, log, weights")
    parser.add_argument("--depth", default="resnet50")
    parser.add_argument("--v1", action="store_true", help="the stride on the first convolution, as --start has it")
    parser.add_argument("--px", type=int, default=160, help="side of the input")
    parser.add_argument("--train-px", type=int, default=128, help="side of the input in training")
    parser.add_argument("--frozen", type=int, default=2, help="stages that stay as they are, the stem with them")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=64, help="photos; each is shown twice")
    parser.add_argument("--peak-rate", type=float, default=2e-4, help="highest learning rate of the backbone")
    parser.add_argument("--warm-up", type=float, default=0.2, help="epochs before the peak")
    parser.add_argument("--cool-down", type=float, default=4, help="epochs from the peak to nothing")
    parser.add_argument("--average", type=float, default=0.995, help="decay of the mean of the weights")
    parser.add_argument("--labelled", nargs="*", default=[], metavar="SOURCE", help="learn these labels, and no others")
    parser.add_argument("--held-out", nargs="*", default=[], metavar="SOURCE", help="measure on these alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="threads, and processes while the teachers work")
    parser.add_argument("--workers", type=int, default=1, help="processes that vary photos during training")
    parser.add_argument("--bfloat16", action="store_true", help="twice as fast on CPUs with AVX512-BF16 or AMX")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    lesson = build_lesson(
        read_photos(given.photos), given.teacher, given.out / "lesson", px=STORE_PX, processes=given.threads
    )
    plan = Plan(
        depth=given.depth,
        v1=given.v1,
        px=given.px,
        train_px=given.train_px,
        frozen=given.frozen,
        epochs=given.epochs,
        batch=given.batch,
        peak_rate=given.peak_rate,
        warm_up=given.warm_up,
        cool_down=given.cool_down,
        average=given.average,
        seed=given.seed,
        bfloat16=given.bfloat16,
        labelled=tuple(given.labelled),
        held_out=tuple(given.held_out),
    )
    run(lesson, plan, given.out, start=given.start, workers=given.workers)


if __name__ == "__main__":
    main()
