"""The sheet of `--sheet` and `--open`: its file, its pictures, and the program that shows it."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer
from PIL import Image

from lookalike.client.queries.examples import Example
from lookalike.duplicates.plan import PlannedGroup
from lookalike.errors import Refused
from lookalike.messages import SampleReply
from lookalike.pictures.groups import parts_of
from lookalike.pictures.sheet import Part, Picture, draw_sheet
from lookalike.pictures.thumbnails import thumbnails_of
from lookalike.search.neighbour import Neighbour
from lookalike.settings import Settings
from lookalike.terminal import escaped_name

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".pdf": "PDF"}
OPENS_WITHIN_S = 20.0


@dataclass(frozen=True)
class Row:
    """A query of the library, and what two generations of the index found by it."""

    query: str
    one: Sequence[Neighbour]
    other: Sequence[Neighbour]


@dataclass(frozen=True)
class SheetFile:
    """Where a sheet is written to."""

    file: Path

    @classmethod
    def wanted(cls, file: Path | None, shown: bool) -> "SheetFile | None":
        """The file that is asked for; one for now if it is only shown. Raises Refused if it cannot be written."""
        if file is None and not shown:
            return None
        if file is None:
            return cls(Path(tempfile.mkdtemp(prefix="lookalike-")) / "sheet.png")
        if file.suffix.lower() not in FORMATS:
            raise Refused(f"A sheet is written as {', '.join(FORMATS)}, and {str(file)!r} is none of these.")
        if not file.absolute().parent.is_dir():
            raise Refused(f"The folder of the sheet {str(file)!r} is not there: make it, or name another one.")
        return cls(file)

    def write_search(self, examples: Sequence[Example], found: Sequence[Neighbour], settings: Settings) -> None:
        """Examples above, neighbours below."""
        make = _maker(settings)
        asked = [Picture(make(_source(one)), _name(one), _weight(one), one.box) for one in examples]
        hits = [Picture(make(each.path, inside=True), escaped_name(each.path), _scores(each)) for each in found]
        title = f"{len(hits)} neighbours" if hits else "nothing was found"
        self._write([Part("query", asked), Part(title, hits)])

    def write_sample(self, found: SampleReply, settings: Settings) -> None:
        """The files of a sample."""
        make = _maker(settings)
        pictures = [Picture(make(path, inside=True), escaped_name(path)) for path in found.paths]
        self._write([Part(f"{len(pictures)} of {found.among} images", pictures)])

    def write_groups(self, groups: Sequence[PlannedGroup], settings: Settings) -> str:
        """Groups of duplicates with their differences. Returns how many of them are on the sheet, in words."""
        parts = parts_of(groups, thumbnails_of(settings))
        self._write(parts)
        return f"the first {len(parts)} of {len(groups)} groups" if len(parts) < len(groups) else "all groups"

    def write_comparison(self, rows: "Sequence[Row]", names: Sequence[str], settings: Settings) -> None:
        """Each query above what the one found and what the other found."""
        make, parts = _maker(settings), []
        for row in rows:
            parts.append(Part("query", [Picture(make(row.query, inside=True), escaped_name(row.query))]))
            for name, found in zip(names, (row.one, row.other), strict=True):
                hits = [Picture(make(each.path, inside=True), escaped_name(each.path), _scores(each)) for each in found]
                parts.append(Part(name, hits))
        self._write(parts)

    def _write(self, parts: Sequence[Part]) -> None:
        sheet = draw_sheet(parts)
        try:
            sheet.save(self.file, FORMATS[self.file.suffix.lower()])
        except OSError as error:
            raise Refused(f"The sheet {str(self.file)!r} cannot be written ({error.strerror or error}).") from error


def open_file(file: Path) -> None:
    """Shows it in the program that the desktop has for it. Raises Refused if there is none."""
    if sys.platform in {"win32", "darwin"}:
        failed = typer.launch(str(file)) != 0
    else:
        opener = shutil.which("xdg-open")
        failed = opener is None or _fails(opener, file)
    if failed:
        raise Refused(f"No program was found that shows pictures: the sheet is {str(file)!r}.")


def _fails(opener: str, file: Path) -> bool:
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(
            [opener, str(file.absolute())], stdin=quiet, stdout=quiet, stderr=quiet, timeout=OPENS_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        # Some wait until the window is closed, and then it was shown.
        return False
    return done.returncode != 0


def _maker(settings: Settings) -> Callable[..., Callable[[int], Image.Image]]:
    thumbnails = thumbnails_of(settings)

    def make(source: str, *, inside: bool = False) -> Callable[[int], Image.Image]:
        here = Path(source)
        is_file = not inside and here.is_file()
        return partial(thumbnails.of_file, here) if is_file else partial(thumbnails.of_path, source)

    return make


def _source(one: Example) -> str:
    return str(one.image)


def _name(one: Example) -> str:
    return escaped_name(str(one.image))


def _weight(one: Example) -> str:
    if one.weight == 1:
        return ""
    return f"weight {one.weight:g}" if one.weight > 0 else f"unlike, weight {-one.weight:g}"


def _scores(found: Neighbour) -> str:
    copies = f", {len(found.paths)} copies" if len(found.paths) > 1 else ""
    return f"{found.similarity:.3f} ({found.score:.4f}){copies}"
