"""A point of the index: its id, its payload, and which payload fields are indexed. Pure."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID, uuid5

from qdrant_client.models import PayloadSchemaType, PayloadSelectorExclude

from lookalike.library.version import FileVersion
from lookalike.search.filters import orientation_of
from lookalike.search.query import By

# The named vector of a point for each output of the model. A model of contract 1 has no copy descriptor.
VECTORS: Mapping[By, str] = {"embedding": "image", "copy": "copy"}
# Raised when a field that we read or filter by is new or gets another meaning: an index of another form is refused.
PAYLOAD_FORM = "3"
# The small picture, which no search returns.
SMALL = "small"
WITHOUT_SMALL = PayloadSelectorExclude(exclude=[SMALL])
# Must never change: every id of every index is derived from it.
NAMESPACE = UUID("5f0c9a4e-6d1b-5b0e-9d59-7a1f0e2b8c11")

INDEXED_FIELDS: Mapping[str, PayloadSchemaType] = {
    "sha256": PayloadSchemaType.KEYWORD,
    "status": PayloadSchemaType.KEYWORD,
    "folders": PayloadSchemaType.KEYWORD,
    "format": PayloadSchemaType.KEYWORD,
    "size_bytes": PayloadSchemaType.INTEGER,
    "width_px": PayloadSchemaType.INTEGER,
    "height_px": PayloadSchemaType.INTEGER,
    "orientation": PayloadSchemaType.KEYWORD,
    "taken_at": PayloadSchemaType.DATETIME,
    "mtime_ns": PayloadSchemaType.INTEGER,
    "indexed_at": PayloadSchemaType.DATETIME,
}


@dataclass(frozen=True)
class ImageMetadata:
    """Metadata of an image's bytes, shared by all copies of the file."""

    sha256: str
    format: str
    width_px: int
    height_px: int
    taken_at: str | None
    # A JPEG by which two pictures are compared (worker/duplicates/small.py); empty in an index of before.
    small: bytes = b""


def point_id(path: str) -> str:
    """The id of the file at this relative path: one file, one point."""
    return str(uuid5(NAMESPACE, path))


def indexed_payload(
    path: str, version: FileVersion, metadata: ImageMetadata, indexed_at: str, generation: str
) -> dict[str, Any]:
    """Payload of an image that this generation embedded (worker/index/identity.py).

    Times are ISO 8601, mtime and ctime in nanoseconds since 1970.
    """
    return {
        **_file_payload(path, version, indexed_at),
        "sha256": metadata.sha256,
        "format": metadata.format,
        "width_px": metadata.width_px,
        "height_px": metadata.height_px,
        "orientation": orientation_of(metadata.width_px, metadata.height_px),
        "taken_at": metadata.taken_at,
        "status": "indexed",
        "generation": generation,
        **({SMALL: b64encode(metadata.small).decode("ascii")} if metadata.small else {}),
    }


def rejected_payload(
    path: str, version: FileVersion, reason: str, indexed_at: str, *, is_poison: bool = False
) -> dict[str, Any]:
    """Payload of a file that could not be embedded: a point without a vector, which no search finds."""
    poison = {"poison": True} if is_poison else {}
    return {**_file_payload(path, version, indexed_at), "status": "rejected", "reason": reason, **poison}


def metadata_of(payload: Mapping[str, Any]) -> ImageMetadata:
    """The metadata in the payload of an indexed image."""
    return ImageMetadata(
        sha256=payload["sha256"],
        format=payload["format"],
        width_px=payload["width_px"],
        height_px=payload["height_px"],
        taken_at=payload.get("taken_at"),
        small=b64decode(payload.get(SMALL, "")),
    )


def _file_payload(path: str, version: FileVersion, indexed_at: str) -> dict[str, Any]:
    pure = PurePosixPath(path)
    # Without the root ("." as the last parent), which is a folder of every file.
    folders = [str(folder) for folder in reversed(pure.parents) if str(folder) != "."]
    return {
        "path": path,
        "folders": folders,
        "name": pure.name,
        "version": version.token,
        "size_bytes": version.size_bytes,
        "mtime_ns": version.mtime_ns,
        "ctime_ns": version.ctime_ns,
        "indexed_at": indexed_at,
    }
