"""Images per second of every way to index the same photos, with the shipped model and with ResNet-50."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import harmonic_mean

from bench.memory import watched
from bench.networks import Networks
from bench.photos import write_many
from bench.results import Results
from bench.rivals.bare import CORES, bare_loop, decode_only, embed_only, steps
from bench.rivals.recipe import tutorial
from bench.servers import System, make_collection, store, system

RIVAL = Path(sys.prefix) / "rival" / "bin" / "python"


@dataclass(frozen=True)
class Counts:
    """How many images of a size each way gets: enough for a steady rate, few enough for the time there is."""

    shipped: int
    resnet50: int
    fp32: int
    recipe: int


FULL = {
    "0.5 MP": Counts(shipped=1600, resnet50=800, fp32=160, recipe=60),
    "1 MP": Counts(shipped=1600, resnet50=800, fp32=160, recipe=60),
    "12 MP": Counts(shipped=500, resnet50=400, fp32=80, recipe=16),
}
# A second system to start and stop would take the minute.
QUICK = {"1 MP": Counts(shipped=800, resnet50=0, fp32=0, recipe=24)}
PHOTOS = Counts(shipped=2000, resnet50=600, fp32=200, recipe=60)
EMBEDDED = {"ResNet-50": 400, "shipped": 600}
# For the times of the steps, by one process.
TIMED = 192


def measure(
    photos: Mapping[str, Sequence[Path]],
    counts: Mapping[str, Counts],
    models: Networks,
    *,
    folder: Path,
    results: Results,
    tell: Callable[[str], None],
) -> None:
    """Adds the rates of each size to the results.

    A machine may be slower a minute later, so all that is compared with the pipeline is measured right before it, and
    half of the bare loop right after it.
    """
    most = {size: max(count.shipped, count.resnet50) for size, count in counts.items()}
    inputs = {size: write_many(photos[size], most[size], folder / "in" / _name(size)) for size in counts}
    recipes: dict[str, list[float]] = {size: [] for size in counts}
    for name, model, share in (
        ("ResNet-50", models.resnet50_int8, {size: count.resnet50 for size, count in counts.items()}),
        ("shipped", models.shipped, {size: count.shipped for size, count in counts.items()}),
    ):
        if not any(share.values()):
            continue
        with system(folder / f"system {name}", model) as running:
            for size, number in share.items():
                tell(f"{size}, {name}: the tutorials' recipe")
                with running.paused():
                    recipes[size].append(
                        tutorial(models.float_contract / "model.onnx", inputs[size][: counts[size].recipe])
                    )
                    results.add(f"tutorials' recipe, ResNet-50, {size}", harmonic_mean(recipes[size]))
                    if name == "ResNet-50" and RIVAL.exists():
                        tell(f"{size}, {name}: fastembed")
                        _against_fastembed(size, inputs[size][: counts[size].fp32], models, folder, results)
                tell(f"{size}, {name}: the bare loop and the whole pipeline")
                _beside_bare(running, f"{name}, {size}", model, inputs[size][:number], results)
        # Not before the system has stopped: it would begin to remove them from its index.
        for dropped in running.library.iterdir():
            _move([*dropped.iterdir()], folder / "in" / _name(dropped.name.rpartition(", ")[2]))


def _beside_bare(running: System, what: str, model: Path, paths: Sequence[Path], results: Results) -> None:
    """The whole pipeline, and before and after it the bare loop with half of the photos each."""
    folder, half = running.library.parent, len(paths) // 2
    with running.paused():
        embedding = embed_only(model, EMBEDDED[what.partition(",")[0]])
        decoding = decode_only(model, paths[: max(48, len(paths) // 3)])
        with store(folder / f"steps {what}") as url:
            timed = steps(model, paths[:TIMED], url, make_collection(url, model))
        before = _bare(model, paths[:half], folder / f"before {what}")
    _move(paths, folder / what)
    with watched(running.processes) as memory:
        pipeline = len(paths) / running.drop(folder / what)
    with running.paused():
        moved = [running.library / what / path.name for path in paths[half:]]
        after = _bare(model, moved, folder / f"after {what}")
    results.add(f"embed alone, {what}", embedding)
    results.add(f"decode alone, {what}", decoding)
    results.add(f"machine's limit, {what}", 1 / (1 / decoding + 1 / embedding))
    for step, seconds in timed._asdict().items():
        results.add(f"{step.replace('_', ' ')}, one core, {what}, ms", seconds * 1000)
    results.add(f"predicted, {what}", CORES / sum(timed))
    results.add(f"bare loop, {what}", harmonic_mean((before, after)))
    results.add(f"whole pipeline, {what}", pipeline)
    results.add(f"memory in use, {what}", memory.last_mib)
    results.add(f"memory growth, {what}", memory.growth)


def _move(paths: Sequence[Path], folder: Path) -> None:
    """Moves files, in place of linking them: a file with two names makes the producer look for the other one."""
    folder.mkdir(exist_ok=True)
    for path in paths:
        path.rename(folder / path.name)


def _bare(model: Path, paths: Sequence[Path], folder: Path) -> float:
    with store(folder) as url:
        return bare_loop(model, paths, url, make_collection(url, model))


def _against_fastembed(size: str, paths: Sequence[Path], models: Networks, folder: Path, results: Results) -> None:
    """Both of fastembed's ways, and the quicker one counts; with them our bare loop on the same fp32 weights."""
    rates = [
        subprocess.run(
            [RIVAL, Path(__file__).parent / "rivals" / "fastembed_rival.py", models.float_contract, "16", parallel],
            input="\n".join(map(str, paths)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        for parallel in ("-", "0")
    ]
    results.add(f"fastembed, ResNet-50 fp32, {size}", max(map(float, rates)))
    results.add(f"bare loop, ResNet-50 fp32, {size}", _bare(models.resnet50, paths, folder / f"fp32 {size}"))


def _name(size: str) -> str:
    return size.replace(" ", "")
