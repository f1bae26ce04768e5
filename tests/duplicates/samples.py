"""Groups of files that tests make up."""

import hashlib
from typing import Any

from lookalike.duplicates.groups import LABELS, FileFacts, Group, Label, Pair


def sha256_of(path: str) -> str:
    """A content of its own for each name."""
    return hashlib.sha256(path.encode()).hexdigest()


def facts(path: str, **given: Any) -> FileFacts:
    """A file of 1,000 bytes and 40x30 pixels, unless something else is given."""
    usual: dict[str, Any] = {
        "sha256": sha256_of(path),
        "size_bytes": 1000,
        "mtime_ns": 1_600_000_000_000_000_000,
        "width_px": 40,
        "height_px": 30,
        "format": "JPEG",
    }
    return FileFacts(path=path, **{**usual, **given})


def group(*files: FileFacts, labels: Label | list[Label] = "near") -> Group:
    """A group around the first file."""
    centre, *others = files
    given = [labels] * len(others) if isinstance(labels, str) else labels
    return Group(
        label=max(given, key=LABELS.index),
        centre=centre.path,
        paths=[file.path for file in files],
        pairs=[
            Pair(a=centre.path, b=file.path, label=label, similarity=0.9)
            for file, label in zip(others, given, strict=True)
        ],
        files=list(files),
    )
