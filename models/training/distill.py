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
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.tools.photos import read_photos
from models.training.batches import Batches
from models.training.begin import begin, sharper_of, sharper_values, start_weights, trunk_of
from models.training.learning import Plan, Training
from models.training.split import Syllabus, draw_up
from models.training.student import Student
from models.training.teacher import Teacher, TeacherDataset, build_lesson
from models.training.trunk import Trunk
from models.training.validate import as_numbers, examine

STORE_PX = 208  # of the kept pixels: what crops are cut from
DIMENSION, COPY_DIMENSION = 256, 256
LOG_EVERY = 20
MORE_OF = 4  # of the photos of --some-of one in so many is shown in an epoch


def print_line(line: dict[str, Any]) -> None:
    """One epoch, or one batch, as `key=value` pairs."""
    print(" ".join(f"{key}={value}" for key, value in line.items()), flush=True)


def run(
    lesson: TeacherDataset,
    plan: Plan,
    out: Path,
    *,
    start: Path,
    sharper: Path | None = None,
    workers: int = 0,
    report: Callable[[dict[str, Any]], None] = print_line,
) -> None:
    """Trains by `plan`, from `out`'s checkpoint if there is one, else from `start`'s weights.

    `sharper`: the weights of the network that plan.sharper is about, as `start`. `report` is called after each epoch,
    when its checkpoint and log line are written. Raises ValueError when the checkpoint was made by another plan; the
    number of epochs may be another.
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
        regular=plan.regular,
    )
    values = sharper_values(plan)
    student = Student(plan.depth, DIMENSION, COPY_DIMENSION, syllabus.classes, v1=plan.v1, sharper=values)
    known = torch.from_numpy(syllabus.target[syllabus.train])
    has_heads = student.take(start_weights(start, plan, lesson))
    trunks = {px: trunk_of(student, plan, px, lesson, out) for px in (plan.train_px, plan.px)}
    whole = Trunk(trunks[plan.px])
    onlooker = None if sharper is None else sharper_of(sharper, plan, lesson, syllabus, out)
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
        begin(student, whole, lesson, syllabus, plan, has_heads=has_heads, sharper=onlooker)
        training = Training(student, plan, known)
        report(_finished(training, whole, lesson, syllabus, plan, out=out, line={"epoch": 0}))
    for epoch in range(done, plan.epochs):
        began = time.monotonic()
        line: dict[str, Any] = {"epoch": epoch + 1}
        seed = plan.seed * 1000 + epoch
        some = np.random.default_rng(seed).permutation(syllabus.more)[: len(syllabus.more) // MORE_OF]
        batches = Batches(
            lesson.pixels,
            np.concatenate([syllabus.train, some]),
            trunk=trunks[plan.train_px],
            size=plan.batch,
            px=plan.train_px,
            seed=seed,
            sharper=onlooker,
        )
        line |= _train_epoch(training, batches, syllabus, plan, epoch=epoch, workers=workers)
        line["took_s"] = round(time.monotonic() - began, 1)
        report(_finished(training, whole, lesson, syllabus, plan, out=out, line=line))


def _train_epoch(
    training: Training, batches: Batches, syllabus: Syllabus, plan: Plan, *, epoch: int, workers: int
) -> dict[str, float]:
    """One pass over the training photos; returns the mean of each part of the loss."""
    training.queue = training.queue[:0]  # the photos of the last epoch come again
    sums: dict[str, float] = {}
    for number, (rows, maps, told) in enumerate(_loaded(batches, workers)):
        target, label = torch.from_numpy(syllabus.target[rows]), torch.from_numpy(syllabus.label[rows])
        now = epoch + number / len(batches)
        numbers = as_numbers(maps, batches.trunk)
        parts = training.step(numbers, torch.from_numpy(told), target, label, plan=plan, epoch=now)
        sums = {name: sums.get(name, 0.0) + value for name, value in parts.items()}
        if number % LOG_EVERY == 0:
            print_line({"batch": f"{number}/{len(batches)}"} | {name: round(value, 3) for name, value in parts.items()})
    return {name: round(value / len(batches), 4) for name, value in sums.items()}


def _loaded(batches: Batches, workers: int) -> Iterator[tuple[Any, Any, Any]]:
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
    parser.add_argument("--sharper", type=teacher_of, metavar="WEIGHTS[:PX]", help="as --start, sees each view larger")
    parser.add_argument("--some-of", nargs="*", default=[], type=Path, help="more photos, a quarter in each epoch")
    parser.add_argument("--out", type=Path, required=True, help="folder for features, checkpoint, log, weights")
    parser.add_argument("--depth", default="resnet50")
    parser.add_argument("--v1", action="store_true", help="the stride on the first convolution, as --start has it")
    parser.add_argument("--px", type=int, default=160, help="side of the input")
    parser.add_argument("--train-px", type=int, default=128, help="side of the input in training")
    parser.add_argument("--frozen", type=int, default=1, help="stages that stay as they are, the stem with them")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=64, help="photos; each is shown twice")
    parser.add_argument("--peak-rate", type=float, default=1e-4, help="highest learning rate of the backbone")
    parser.add_argument("--warm-up", type=float, default=0.15, help="epochs before the peak")
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
    photos = chain(read_photos(given.photos), read_photos(given.some_of))
    lesson = build_lesson(photos, given.teacher, given.out / "lesson", px=STORE_PX, processes=given.threads)
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
        sharper=0 if given.sharper is None else given.sharper.px,
        regular=len(lesson.label) - sum(1 for _ in read_photos(given.some_of)),
    )
    sharper = None if given.sharper is None else given.sharper.path
    run(lesson, plan, given.out, start=given.start, sharper=sharper, workers=given.workers)


if __name__ == "__main__":
    main()
