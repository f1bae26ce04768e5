"""Draws docs/pictures/models.svg from models.csv: each model a point, its quality against its time for a photo.

    python docs/pictures/draw_models.py

The columns of models.csv: name, ms (one photo, one thread, batches of 4 or 16, decoding not counted), quality (mAP on
the held-out classes, mean over their sources), side (of the point on which the name stands: left or right).
"""

import csv
import math
from html import escape
from pathlib import Path

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
        shapes += [_line(x, TOP, x, HEIGHT - BOTTOM), _text(x, HEIGHT - BOTTOM + 18, str(tick), "middle")]
    for step in range(round((highest - lowest) * 20) + 1):
        quality = lowest + step / 20
        y = _y(quality, lowest, highest)
        shapes += [_line(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 8, y + 4, f"{quality:.2f}", "end")]
    shapes.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "ms per photo, one thread", "middle"))
    shapes.append(_text(LEFT, TOP - 6, "mAP on held-out classes", "start"))
    for row in rows:
        x, y = _x(float(row["ms"])), _y(float(row["quality"]), lowest, highest)
        colour = "#c0392b" if SHIPPED in row["name"] else "#2c6fbb"
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')
        at, anchor = (x - 8, "end") if row["side"] == "left" else (x + 8, "start")
        shapes.append(_text(at, y + 4, row["name"], anchor, colour))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12">'
    )
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    (HERE / "models.svg").write_text("\n".join([head, ground, *shapes, "</svg>\n"]), encoding="utf-8")


def _x(ms: float) -> float:
    share = math.log(ms / MS_TICKS[0]) / math.log(MS_TICKS[-1] / MS_TICKS[0])
    return LEFT + 10 + share * (WIDTH - LEFT - RIGHT - 20)


def _y(quality: float, lowest: float, highest: float) -> float:
    return HEIGHT - BOTTOM - (quality - lowest) / (highest - lowest) * (HEIGHT - TOP - BOTTOM)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
