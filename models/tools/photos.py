"""Reads the photos to train or measure on, from folders and tar files. Knows nothing of models."""

import csv
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from models.decoding import decode_file, register_formats
from models.preprocess import Recipe

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


@dataclass(frozen=True)
class Photo:
    """One encoded photo. `label` is "" where none is known; labels of different sources never mean the same."""

    name: str
    content: bytes
    label: str
    source: str


def read_photos(paths: Iterable[Path]) -> Iterator[Photo]:
    """The photos of each path in turn, always in the same order.

    A folder gives the photos of its sub-folders (their names are the labels) and its own (no label).
    A tar file gives its members; a `.csv` of the same name next to it (columns file, label, source) labels them.
    Raises FileNotFoundError for a path that is neither.
    """
    for path in paths:
        if path.is_dir():
            yield from _of_folder(path)
        elif path.is_file():
            yield from _of_tar(path)
        else:
            raise FileNotFoundError(f"no photos at {path}: give a folder of class folders, or a tar file")


def open_rgb(content: bytes, recipe: Recipe | None = None) -> Image.Image:
    """Decodes one photo as the worker does: upright, RGB, in sRGB, with a recipe no larger than needed.

    Raises OSError for what is no image of the worker's formats.
    """
    register_formats()
    return decode_file(content, recipe).image


def _of_folder(folder: Path) -> Iterator[Photo]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in EXTENSIONS and path.is_file():
            relative = path.relative_to(folder)
            label = relative.parts[0] if len(relative.parts) > 1 else ""
            yield Photo(relative.as_posix(), path.read_bytes(), label, folder.name)


def _of_tar(path: Path) -> Iterator[Photo]:
    table = path.with_name(path.name.split(".")[0] + ".csv")
    rows: dict[str, dict[str, str]] = {}
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as lines:
            rows = {row["file"]: row for row in csv.DictReader(lines)}
    with tarfile.open(path) as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.isfile() else None
            if opened is None or Path(member.name).suffix.lower() not in EXTENSIONS:
                continue
            name = member.name.removeprefix("./")
            row = rows.get(name) or rows.get(Path(name).name) or {}
            yield Photo(name, opened.read(), row.get("label", ""), row.get("source", path.name))
