"""Draws docs/pictures/models.svg from models.csv: each model a point, its quality against its time for a photo.

    python docs/pictures/draw_models.py

The columns of models.csv: name, ms (one photo, one thread, batches of 4 or 16, decoding not counted), quality (mAP on
the held-out classes, mean over their sources), side (of the point on which the name stands: left or right).
"""

import csv
import math
from pathlib import Path

from shapes import line, picture, text

HERE = Path(__file__).parent
WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 20, 50
MS_TICKS = (1, 2, 5, 10, 20, 50)
SHIPPED = "ships"


def main() -> None:
    """Writes the picture."""
    with (HERE / "models.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    qualities = [float(row["quality"]) for row in rows]
    lowest, highest = math.floor(20 * min(qualities)) / 20, math.ceil(20 * max(qualities)) / 20
    shapes = []
    for tick in MS_TICKS:
        x = _x(tick)
        shapes += [line(x, TOP, x, HEIGHT - BOTTOM), text(x, HEIGHT - BOTTOM + 18, str(tick), "middle")]
    for step in range(round((highest - lowest) * 20) + 1):
        quality = lowest + step / 20
        y = _y(quality, lowest, highest)
        shapes += [line(LEFT, y, WIDTH - RIGHT, y), text(LEFT - 8, y + 4, f"{quality:.2f}", "end")]
    shapes.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "ms per photo, one thread", "middle"))
    shapes.append(text(LEFT, TOP - 6, "mAP on held-out classes", "start"))
    for row in rows:
        x, y = _x(float(row["ms"])), _y(float(row["quality"]), lowest, highest)
        colour = "#c0392b" if SHIPPED in row["name"] else "#2c6fbb"
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')
        at, anchor = (x - 8, "end") if row["side"] == "left" else (x + 8, "start")
        shapes.append(text(at, y + 4, row["name"], anchor, colour))
    (HERE / "models.svg").write_text(picture(WIDTH, HEIGHT, shapes), encoding="utf-8")


def _x(ms: float) -> float:
    share = math.log(ms / MS_TICKS[0]) / math.log(MS_TICKS[-1] / MS_TICKS[0])
    return LEFT + 10 + share * (WIDTH - LEFT - RIGHT - 20)


def _y(quality: float, lowest: float, highest: float) -> float:
    return HEIGHT - BOTTOM - (quality - lowest) / (highest - lowest) * (HEIGHT - TOP - BOTTOM)


if __name__ == "__main__":
    main()
