"""The card of vectors that another program made: it stands in the place of a model file, and has no network.

What tells such vectors apart is the name that they were given, with their length: the program that made them is not
known here.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from lookalike.errors import Misconfigured
from models.contract import ModelCard

IMPORTED = ".vectors.json"


def imported_card(name: str, dimension: int) -> ModelCard:
    """The card of vectors of this name and length."""
    return ModelCard(
        name=name,
        height_px=0,
        width_px=0,
        resize="stretch",
        dimension=dimension,
        source="imported",
        licence="unknown",
        precision="fp32",
        fingerprint=hashlib.sha256(f"imported {dimension} {name}".encode()).hexdigest(),
    )


def write_imported(folder: Path, card: ModelCard) -> Path:
    """Writes the card where LOOKALIKE_MODEL finds it by its name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{card.name}{IMPORTED}"
    path.write_text(json.dumps(asdict(card)), "utf-8")
    return path


def read_imported(path: Path) -> ModelCard:
    """The card in a file. Raises Misconfigured."""
    try:
        return ModelCard(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise Misconfigured(f"{path} is no card of imported vectors ({error}): import them again.") from error
