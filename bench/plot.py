"""Draws the plot of the README: images per second as multiples of the tutorials' recipe. SVG, written by hand."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

BARS = (
    ("tutorials' recipe", "tutorials' recipe, ResNet-50", "#9aa5b1"),
    ("fastembed, same network", "fastembed, ResNet-50 fp32", "#c8a15a"),
    ("lookalike, ResNet-50 int8", "whole pipeline, ResNet-50", "#2f7ed8"),
    ("bare loop, the same", "bare loop, ResNet-50", "#a9cbf0"),
    ("lookalike, its own model", "whole pipeline, shipped", "#1a9850"),
    ("bare loop, the same", "bare loop, shipped", "#a6dba0"),
)
WIDTH, LABELS, LEFT = 760, 190, 64
CAPTION = 150  # px behind the longest bar, for its figures
BAR, GAP, GROUP, TOP = 16, 4, 22, 46


def plot(figures: Mapping[str, float], path: Path) -> None:
    """Writes the SVG; a bar for each way that was measured, in a group for each size."""
    sizes = [name.rpartition(", ")[2] for name in figures if name.startswith("tutorials' recipe")]
    rows: list[str] = []
    y = TOP
    scale = (WIDTH - LEFT - LABELS - CAPTION) / max(
        figures[f"{name}, {size}"] / figures[f"tutorials' recipe, ResNet-50, {size}"]
        for size in sizes
        for _, name, _ in BARS
        if f"{name}, {size}" in figures
    )
    for size in sizes:
        one = figures[f"tutorials' recipe, ResNet-50, {size}"]
        rows.append(f'<text x="8" y="{y + BAR - 3}" font-weight="bold">{escape(size)}</text>')
        for label, name, colour in BARS:
            rate = figures.get(f"{name}, {size}")
            if rate is None:
                continue
            width, x = max(1.0, scale * rate / one), LEFT + LABELS
            rows.append(f'<text x="{x - 6}" y="{y + BAR - 4}" text-anchor="end">{escape(label)}</text>')
            rows.append(f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
            caption = f"{rate / one:.1f}x  {rate:.0f} images/s"
            rows.append(f'<text x="{x + width + 6:.1f}" y="{y + BAR - 4}">{caption}</text>')
            y += BAR + GAP
        y += GROUP
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#24292f">\n'
        f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>\n'
        '<text x="8" y="22" font-size="15" font-weight="bold">Photos indexed per second, and how many times the '
        "tutorials' recipe that is</text>\n" + "\n".join(rows) + "\n</svg>\n",
        "utf-8",
    )
