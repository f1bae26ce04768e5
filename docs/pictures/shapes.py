"""The few shapes of SVG that the plots are drawn with."""

from collections.abc import Sequence
from html import escape

PALE, INK = "#ddd", "#333"


def picture(width: int, height: int, shapes: Sequence[str]) -> str:
    """A whole file: white ground, 12 px letters."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, ground, *shapes, "</svg>\n"])


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    """A pale one, of a grid."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{PALE}"/>'


def polyline(points: Sequence[tuple[float, float]], colour: str) -> str:
    """What was measured, in order."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>'


def text(x: float, y: float, words: str, anchor: str, colour: str = INK) -> str:
    """Words that begin, end or have their middle at x."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'
