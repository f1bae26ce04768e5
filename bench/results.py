"""What was measured, the ratios that follow from it, and how both are shown. Measures nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

SIZES = ("0.5 MP", "1 MP", "12 MP", "PHOTOS")
# Of each model what the pipeline should have at least, as a part of the bare loop and as a multiple of the recipe.
MODELS = (
    ("ResNet-50", 0.9, {"0.5 MP": 3.5, "1 MP": 3.0, "12 MP": 6.0}),
    ("shipped", 0.85, {"0.5 MP": 3.5, "1 MP": 3.5, "12 MP": 4.0}),
)


@dataclass(frozen=True)
class Ratio:
    """One quotient of two figures of the same run, and what it should be at least, or at most."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    # The same quotient with the bare loop: no queue can have more.
    best: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether it is as good as it should be."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def bound(self) -> str:
        """What it should be, for a table; empty where there is no bound."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"

    @property
    def verdict(self) -> str:
        """Nothing if all is well, else that it is missed, and whether this machine could meet it at all."""
        if self.is_met:
            return ""
        if self.at_least is not None and self.best is not None and self.best < self.at_least:
            return f"missed; the bare loop has {self.best:.2f}"
        return "missed"


class Results:
    """Figures by name, in the order in which they came: images/s, ms, MiB."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    def add(self, name: str, value: float) -> None:
        """Adds one figure."""
        self.figures[name] = value

    def quantiles(self, name: str, took_ms: Sequence[float]) -> None:
        """Adds p50, p95 and p99 of a row of times."""
        for quantile in (50, 95, 99):
            self.add(f"{name}, p{quantile} ms", float(np.percentile(took_ms, quantile)))

    def ratios(self) -> list[Ratio]:
        """Those whose two figures were measured."""
        return [*self._rates(), *self._latencies(), *self._rest()]

    def table(self) -> Table:
        """Ratios first, then the figures that they come from."""
        table = Table("", "measured", "should be", "", box=None, title="ratios of one run", title_justify="left")
        for ratio in self.ratios():
            table.add_row(ratio.name, f"{ratio.value:.2f}", ratio.bound, ratio.verdict)
        table.add_section()
        for name, value in self.figures.items():
            table.add_row(name, f"{value:.3g}" if value < 10 else f"{value:.0f}", "", "")  # noqa: PLR2004 - digits
        return table

    def json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "ratios": [{**vars(ratio), "is_met": ratio.is_met} for ratio in self.ratios()],
            "figures": self.figures,
        }

    def _rates(self) -> Iterator[Ratio]:
        for size in SIZES:
            recipe = f"tutorials' recipe, ResNet-50, {size}"
            for model, to_bare, to_recipe in MODELS:
                pipeline, bare = f"whole pipeline, {model}, {size}", f"bare loop, {model}, {size}"
                yield from self._of("pipeline : bare loop", pipeline, bare, at_least=to_bare)
                bound = to_recipe.get(size, min(to_recipe.values()))
                best = next((ratio.value for ratio in self._of("", bare, recipe)), None)
                yield from self._of("pipeline : recipe", pipeline, recipe, at_least=bound, best=best)
                yield from self._of("pipeline : predicted", pipeline, f"predicted, {model}, {size}")
                yield from self._of("bare loop : machine", bare, f"machine's limit, {model}, {size}", at_least=to_bare)
            pipeline, fastembed = f"whole pipeline, ResNet-50, {size}", f"fastembed, ResNet-50 fp32, {size}"
            yield from self._of("pipeline (int8) : fastembed", pipeline, fastembed, at_least=2.5)

    def _latencies(self) -> Iterator[Ratio]:
        for points in ("1,000", "10,000", "100,000"):
            for quantile, most in ((50, 1.7), (95, 2.5)):
                queued = f"search through the queue, {points} points, p{quantile} ms"
                direct = f"search in process, {points} points, p{quantile} ms"
                # With few points a search in process takes less, and what the queue takes stays the same.
                yield from self._of("queue : in process", queued, direct, at_most=most if points == "10,000" else None)
            idle = f"search through the queue, {points} points, p95 ms"
            yield from self._of("backlog : idle", f"search under backlog, {points} points, p95 ms", idle, at_most=1.5)

    def _rest(self) -> Iterator[Ratio]:
        for name, value in self.figures.items():
            if name.startswith("memory growth"):
                yield Ratio(name, value, at_most=1.1)
            if name.startswith("recall@10"):
                yield Ratio(name, value, at_least=0.95)
        wait = self.figures.get("drop to searchable beyond settling, p50 ms")
        if wait is not None:
            yield Ratio("drop to searchable beyond settling, p50, seconds", wait / 1000, at_most=0.5)

    def _of(
        self,
        what: str,
        one: str,
        other: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        best: float | None = None,
    ) -> Iterator[Ratio]:
        if one in self.figures and other in self.figures:
            name = f"{what}, {one.partition(', ')[2]}"
            yield Ratio(name, self.figures[one] / self.figures[other], at_least, at_most, best)
