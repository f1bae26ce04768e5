"""Draws pictures to try a search on: `python -m examples.samples DIR`. Four motifs, each in many variations.

Knows nothing of the system. A folder that holds anything at all is left as it is.
"""

import argparse
import math
import random
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

EACH = 9
SIZE_PX = (480, 360)
# Drawn larger and scaled down, for edges without steps.
OVERSAMPLED = 2
SKIES = ("#8ecae6", "#bde0fe", "#cfe8ef", "#a9d6e5", "#d7ecf5")
WALLS = ("#c1440e", "#b5533c", "#9c3d2e", "#d08c60", "#a44a3f")
BALLOONS = ("#e63946", "#6a4c93", "#1982c4", "#ff595e", "#f72585", "#8338ec")
GREENS = ("#2d6a4f", "#40916c", "#52b788", "#386641", "#6a994e")

Chance = random.Random
Motif = Callable[[ImageDraw.ImageDraw, int, int, Chance], None]


def draw_samples(folder: Path) -> int:
    """Fills a folder that is missing or empty with JPEGs; returns how many, 0 if it holds something already.

    The same pictures every time. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return 0
    for name, motif in MOTIFS.items():
        (folder / name).mkdir()
        for number in range(1, EACH + 1):
            picture(motif, f"{name} {number}").save(folder / name / f"{name}-{number}.jpg", quality=90)
    return EACH * len(MOTIFS)


def picture(motif: Motif, seed: str) -> Image.Image:
    """One drawing as RGB of SIZE_PX; the seed decides about everything that varies."""
    width, height = (side * OVERSAMPLED for side in SIZE_PX)
    image = Image.new("RGB", (width, height), "white")
    motif(ImageDraw.Draw(image), width, height, Chance(seed))
    return image.resize(SIZE_PX, Image.Resampling.LANCZOS)


def _suns(draw: ImageDraw.ImageDraw, width: int, height: int, chance: Chance) -> None:
    """A sun with rays over the sea."""
    draw.rectangle((0, 0, width, height), fill=chance.choice(("#ffb703", "#fb8500", "#f4a261", "#ffd166")))
    x, y = width * chance.uniform(0.25, 0.75), height * chance.uniform(0.3, 0.5)
    radius = height * chance.uniform(0.13, 0.2)
    rays = chance.randrange(10, 17)
    for ray in range(rays):
        angle = 2 * math.pi * ray / rays + chance.uniform(-0.05, 0.05)
        reach = radius * chance.uniform(1.6, 2.1)
        start = (x + 1.2 * radius * math.cos(angle), y + 1.2 * radius * math.sin(angle))
        draw.line((*start, x + reach * math.cos(angle), y + reach * math.sin(angle)), fill="#fff3b0", width=10)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill="#fff3b0")
    draw.rectangle((0, height * chance.uniform(0.72, 0.82), width, height), fill="#1d5c7a")


def _houses(draw: ImageDraw.ImageDraw, width: int, height: int, chance: Chance) -> None:
    """A house with a roof, a door and windows on a meadow."""
    draw.rectangle((0, 0, width, height), fill=chance.choice(SKIES))
    ground = height * chance.uniform(0.78, 0.86)
    draw.rectangle((0, ground, width, height), fill=chance.choice(GREENS))
    wide, high = width * chance.uniform(0.35, 0.55), height * chance.uniform(0.3, 0.42)
    left = (width - wide) * chance.uniform(0.3, 0.7)
    top, wall = ground - high, chance.choice(WALLS)
    draw.rectangle((left, top, left + wide, ground), fill=wall)
    peak = (left + wide / 2, top - height * chance.uniform(0.15, 0.25))
    draw.polygon((left - 30, top, *peak, left + wide + 30, top), fill="#5c4033")
    door = left + wide * chance.uniform(0.42, 0.52)
    draw.rectangle((door, ground - high * 0.55, door + wide * 0.16, ground), fill="#3b2a1a")
    for share in (0.1, 0.72):
        window = left + wide * share
        draw.rectangle(
            (window, top + high * 0.2, window + wide * 0.18, top + high * 0.5), fill="#fdf0b5", outline="white", width=8
        )


def _balloons(draw: ImageDraw.ImageDraw, width: int, height: int, chance: Chance) -> None:
    """A few balloons on strings."""
    draw.rectangle((0, 0, width, height), fill=chance.choice(("#f8f9fa", "#e9ecef", "#fff1f6", "#f1f5ff")))
    for _ in range(chance.randrange(3, 7)):
        x, y = width * chance.uniform(0.15, 0.85), height * chance.uniform(0.2, 0.5)
        radius = height * chance.uniform(0.11, 0.17)
        draw.line((x, y + radius, width / 2, height), fill="#6c757d", width=4)
        draw.ellipse((x - radius, y - 1.2 * radius, x + radius, y + 1.2 * radius), fill=chance.choice(BALLOONS))
        draw.ellipse((x - 0.5 * radius, y - 0.8 * radius, x - 0.2 * radius, y - 0.3 * radius), fill="#ffffff")


def _leaves(draw: ImageDraw.ImageDraw, width: int, height: int, chance: Chance) -> None:
    """A large leaf with veins."""
    draw.rectangle((0, 0, width, height), fill=chance.choice(("#f3efe0", "#ede0d4", "#faf3dd", "#e9edc9")))
    tilt, length = chance.uniform(-0.7, 0.7), width * chance.uniform(0.34, 0.44)
    girth = length * chance.uniform(0.4, 0.55)
    middle_x, middle_y = width * chance.uniform(0.45, 0.55), height * chance.uniform(0.45, 0.55)

    def at(along: float, across: float) -> tuple[float, float]:
        """A point of the leaf, -1 to 1 along its middle and across it."""
        x, y = along * length, across * girth
        return (
            middle_x + x * math.cos(tilt) - y * math.sin(tilt),
            middle_y + x * math.sin(tilt) + y * math.cos(tilt),
        )

    edge = [step / 20 - 1 for step in range(41)]
    outline = [at(along, math.cos(along * math.pi / 2)) for along in edge]
    outline += [at(along, -math.cos(along * math.pi / 2)) for along in reversed(edge)]
    draw.polygon(outline, fill=chance.choice(GREENS))
    draw.line((at(-1.25, 0), at(0.95, 0)), fill="#d8f3dc", width=10)
    for along in (-0.6, -0.3, 0.0, 0.3, 0.6):
        for side in (-0.6, 0.6):
            tip = side * math.cos((along + 0.2) * math.pi / 2)
            draw.line((at(along, 0), at(along + 0.25, tip)), fill="#b7e4c7", width=5)


MOTIFS: dict[str, Motif] = {"balloons": _balloons, "houses": _houses, "leaves": _leaves, "suns": _suns}


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0, also if the folder was left as it is; 1 with one sentence if it cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m examples.samples", description="Draws pictures to search.")
    parser.add_argument("folder", type=Path, help="where to put them; left as it is if there is anything in it")
    folder = parser.parse_args(arguments).folder
    try:
        drawn = draw_samples(folder)
    except OSError as error:
        sys.stderr.write(f"No pictures can be drawn in {folder} ({error.strerror}): name another folder.\n")
        return 1
    done = f"{drawn} pictures drawn in {folder}." if drawn else f"{folder} holds something: left as it is."
    sys.stdout.write(f"{done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
