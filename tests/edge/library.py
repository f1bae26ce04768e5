"""A small library as the worker would index it: numbered points with vectors, UUID points without one."""

import random
from uuid import NAMESPACE_URL, uuid5

from qdrant_client.models import PayloadSchemaType, PointStruct

DIMENSION = 4
INDEXES = {
    "status": PayloadSchemaType.KEYWORD,
    "folders": PayloadSchemaType.KEYWORD,
    "size_bytes": PayloadSchemaType.INTEGER,
    "sharpness": PayloadSchemaType.FLOAT,
    "animated": PayloadSchemaType.BOOL,
    "taken_at": PayloadSchemaType.DATETIME,
}
FORMATS = ("JPEG", "PNG", "HEIC")


def vector(number: int, dimension: int = DIMENSION) -> list[float]:
    """The same number gives the same vector."""
    drawn = random.Random(number)
    return [drawn.uniform(-1, 1) for _ in range(dimension)]


def photo(number: int) -> PointStruct:
    """A point as an indexed photo has it."""
    folder = f"trip{number % 3}"
    payload = {
        "path": f"{folder}/day {number % 2}/photo-{number}.jpg",
        "folders": [folder, f"{folder}/day {number % 2}"],
        "size_bytes": 1000 * number,
        "sharpness": number / 7,
        "animated": number % 5 == 0,
        "format": FORMATS[number % len(FORMATS)],
        "status": "indexed",
        "taken_at": f"2024-0{1 + number % 9}-11T10:00:00Z",
        "camera": {"make": "Änne", "lens_mm": [number, 50]},
    }
    if number % 4 == 0:
        payload["taken_at"] = None
    if number % 6 == 0:
        del payload["format"]
    return PointStruct(id=number, vector={"image": vector(number)}, payload=payload)


def rejection(number: int) -> PointStruct:
    """A point as a rejected file has it: no vector."""
    path = f"broken/{number}.jpg"
    payload = {"path": path, "folders": ["broken"], "status": "rejected", "reason": "not an image"}
    return PointStruct(id=str(uuid5(NAMESPACE_URL, path)), vector={}, payload=payload)


def photos() -> list[PointStruct]:
    """Twelve of them."""
    return [photo(number) for number in range(1, 13)]


def rejections() -> list[PointStruct]:
    """Two of them."""
    return [rejection(1), rejection(2)]
