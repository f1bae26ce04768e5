"""Draws docs/pictures/million.svg from million.csv: what is indexed, and the memory of each part, over the time.

    python docs/pictures/draw_million.py

million.csv is what `python -m tests.programs.chaos.many --files 1000000 --csv FILE` writes; a restart comes last.
"""

import csv
from pathlib import Path

from shapes import line, picture, polyline, text

HERE = Path(__file__).parent
WIDTH, HEIGHT = 760, 480
LEFT, RIGHT, TOP, BOTTOM, BETWEEN = 70, 150, 24, 44, 36
COLOURS = {
    "store": "#c0392b",
    "ingest": "#2c6fbb",
    "search": "#8e6bbf",
    "producer": "#1a9850",
    "broker": "#c8a15a",
    "index builder, others": "#777777",
}
INK = "#333333"
MOST_TICKS = 6


def main() -> None:
    """Writes the picture."""
    with (HERE / "million.csv").open(newline="", encoding="utf-8") as lines:
        rows = [{name: int(value) for name, value in row.items()} for row in csv.DictReader(lines)]
    half = (HEIGHT - TOP - BOTTOM - BETWEEN) / 2
    minutes = [row["seconds"] / 60 for row in rows]
    indexed = {"indexed": [row["indexed"] / 1000 for row in rows]}
    memory = {part: [float(row[part]) for row in rows] for part in COLOURS}
    shapes = [
        *_panel("thousands indexed", minutes, indexed, TOP, half),
        *_panel("MiB, proportional", minutes, memory, TOP + half + BETWEEN, half),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "minutes", "middle"),
    ]
    (HERE / "million.svg").write_text(picture(WIDTH, HEIGHT, shapes), encoding="utf-8")


def _panel(title: str, minutes: list[float], series: dict[str, list[float]], top: float, height: float) -> list[str]:
    last, highest = max(minutes), max(max(values) for values in series.values())
    shapes = [text(LEFT, top - 8, title, "start")]
    for tick in _ticks(highest):
        y = top + height - tick / highest * height
        shapes += [line(LEFT, y, WIDTH - RIGHT, y), text(LEFT - 8, y + 4, f"{tick:,.0f}", "end")]
    for tick in _ticks(last):
        x = LEFT + tick / last * (WIDTH - LEFT - RIGHT)
        shapes += [line(x, top, x, top + height), text(x, top + height + 16, f"{tick:g}", "middle")]
    free_y = 0.0
    for name, values in sorted(series.items(), key=lambda one: -one[1][-1]):
        points = [
            (LEFT + at / last * (WIDTH - LEFT - RIGHT), top + height - value / highest * height)
            for at, value in zip(minutes, values, strict=True)
        ]
        colour = COLOURS.get(name, INK)
        # Names below one another where lines end close together.
        free_y = max(free_y + 14, points[-1][1] + 4)
        shapes += [polyline(points, colour), text(WIDTH - RIGHT + 8, free_y, name, "start", colour)]
    return shapes


def _ticks(highest: float) -> list[float]:
    steps = (first * 10**power for power in range(6) for first in (1, 2, 5))
    step = next(each for each in steps if highest / each <= MOST_TICKS)
    return [float(step * number) for number in range(int(highest / step) + 1)]


if __name__ == "__main__":
    main()
