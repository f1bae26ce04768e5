"""Files of the tests. What is in them does not matter to the producer, only their size and time."""

import os
from pathlib import Path


def draw(path: Path, content: str = "picture") -> Path:
    """Writes a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def draw_old(path: Path, content: str = "picture", age_s: float = 100.0) -> Path:
    """The same, as if it had been there for long."""
    draw(path, content)
    written = path.stat().st_mtime - age_s
    os.utime(path, (written, written))
    return path
