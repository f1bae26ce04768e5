"""A small library, and everything that happens to files of a library, once."""

import os
import shutil
from pathlib import Path

from tests.support.pictures import encoded, picture

# What the second half leaves out.
LEFT_OUT = "left/"
# In the second half; one of them is broken, unless a fault mends it.
FILES = 9
# Known before and there afterwards.
STAYING = ("same.png", "edited.png", "broken.png", "mended.png", "link.png")
# Long ago: nothing is still settling.
WRITTEN_S = 10**9


def before(root: Path) -> None:
    """Writes the library that is indexed before anything fails."""
    for entry in root.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for at, name in enumerate(("same.png", "edited.png", "moved.png", "gone.png", "left/out.png", "broken.png")):
        _write(root / name, encoded(picture(at)))
    _write(root / "mended.png", encoded(picture(6))[:200])
    _write(root / "dir/inside.png", encoded(picture(7)))
    (root / "link.png").symlink_to("dir/inside.png")


def after(root: Path) -> None:
    """Adds, edits, moves, deletes, breaks, mends and copies."""
    _write(root / "new/new.png", encoded(picture(11)))
    _write(root / "edited.png", encoded(picture(12)))
    (root / "moved.png").rename(root / "new/moved.png")
    (root / "gone.png").unlink()
    _write(root / "broken.png", b"\x89PNG\r\n\x1a\nno more")
    _write(root / "mended.png", encoded(picture(6)))
    shutil.copy2(root / "same.png", root / "copy.png")
    (root / "dir").rename(root / "folder")
    (root / "link.png").unlink()
    (root / "link.png").symlink_to("folder/inside.png")


def change(path: Path) -> None:
    """Writes another picture into a file, as a program does while the file is read."""
    _write(path, encoded(picture(13)))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (WRITTEN_S, WRITTEN_S))
