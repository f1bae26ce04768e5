"""A filter finds what Python finds by it among all payloads, on both stores."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient
from qdrant_client.models import Filter

from lookalike.library.version import folder_version
from lookalike.messages import SearchMessage
from worker.index.payload import ImageMetadata, indexed_payload, rejected_payload
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex
from worker.searching.search import Bounds, Search

COUNT = 60
DIMENSION = 24
VECTOR = [1.0] + [0.0] * (DIMENSION - 1)
EXAMPLE = {"image": {"vector": VECTOR}}
FOLDERS = ("", "trips/", "trips/2024/", "trips/2024/may/", "family/")
FORMATS = ("JPEG", "PNG", "HEIF")
SIZES = (100, 200, 300)
# Ends and begins of days, months and years, and what is just beside them.
MOMENTS = [
    datetime(*day, tzinfo=UTC) + timedelta(microseconds=step)
    for day in ((2023, 1, 1), (2024, 3, 1), (2024, 5, 31), (2024, 6, 1))
    for step in (-1, 0, 1, 12 * 3600 * 10**6)
]
TIMES = st.sampled_from(["2023", "2024", "2024-02", "2024-05", "2024-05-31", "2024-05-31T12:00:00", "2024-06-01"])
NUMBERS = st.sampled_from([0, 99, 100, 101, 200, 250, 300])


def ranges(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.fixed_dictionaries({"gte": values}) | st.fixed_dictionaries({"lte": values})


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "folder": st.sampled_from(["trips", "trips/2024", "trips/2024/may", "family", "nowhere"]),
        "path": st.sampled_from(["*.jpg", "trips/**", "trips/*/*1*", "/2*", "may/", "*[0-4].???", "trips/2024/may/*"]),
        "format": st.sampled_from([*FORMATS, "heif", "GIF"]),
        "size_bytes": ranges(NUMBERS),
        "width_px": ranges(NUMBERS),
        "height_px": ranges(NUMBERS),
        "orientation": st.sampled_from(["landscape", "portrait", "square"]),
        "taken_at": ranges(TIMES),
        "modified_at": ranges(TIMES),
        "indexed_at": ranges(TIMES),
    },
)


@dataclass
class Filled:
    """An index of drawn payloads, all with one vector, and the payloads."""

    search: Search
    payloads: list[dict[str, Any]]


@pytest.fixture(scope="module")
def filled(store: QdrantClient, collection: str) -> Iterator[Filled]:
    index = QdrantIndex(store, collection)
    draw = random.Random(7)
    payloads = []
    for number in range(COUNT):
        path = f"{draw.choice(FOLDERS)}{number}.{draw.choice(['jpg', 'png'])}"
        mtime_ns = int(draw.choice(MOMENTS).timestamp() * 10**6) * 1000
        version = folder_version(draw.choice(SIZES), mtime_ns)
        taken = draw.choice([None, draw.choice(MOMENTS).replace(tzinfo=None).isoformat()])
        size = draw.choice(SIZES), draw.choice(SIZES)
        metadata = ImageMetadata(f"{number:064x}", draw.choice(FORMATS), *size, taken)
        payloads.append(indexed_payload(path, version, metadata, draw.choice(MOMENTS).isoformat(), "g"))
    index.write([PointWrite(payload, {"embedding": VECTOR}) for payload in payloads])
    index.write(
        [PointWrite(rejected_payload("trips/bad.jpg", folder_version(100, 0), "broken", "2024-01-01T00:00:00Z"))]
    )
    search = Search(index, None, None, lambda _: None, "cosine", {"embedding": DIMENSION}, Bounds())  # type: ignore[arg-type]
    yield Filled(search, payloads)
    store.delete(collection, points_selector=Filter(), wait=True)


def holds(name: str, wanted: Any, payload: dict[str, Any]) -> bool:
    """The documented meaning, written again by itself."""
    width, height = payload["width_px"], payload["height_px"]
    facts: dict[str, Callable[[], Any]] = {
        "folder": lambda: payload["path"].startswith(f"{wanted}/"),
        "path": lambda: GLOBS[wanted](payload["path"]),
        "format": lambda: payload["format"] == str(wanted).upper(),
        "orientation": lambda: wanted == ("square" if width == height else ("portrait", "landscape")[width > height]),
    }
    if name in facts:
        return bool(facts[name]())
    found = payload["mtime_ns"] if name == "modified_at" else payload[name]
    return found is not None and within(text_of(found) if name.endswith("_at") else found, wanted)


def text_of(found: str | int) -> str:
    """The time in ISO 8601 without a zone."""
    moment = (
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=found // 1000) if isinstance(found, int) else None
    )
    return str(found if moment is None else moment.isoformat()).removesuffix("+00:00")


def within(found: Any, wanted: Any) -> bool:
    """ISO 8601 sorts as text; the beginning of a time is the period that it is in."""
    bounds = wanted if isinstance(wanted, dict) else {"gte": wanted, "lte": wanted}
    period = {way: found[: len(bound)] if isinstance(found, str) else found for way, bound in bounds.items()}
    return all(period[way] >= bound if way == "gte" else period[way] <= bound for way, bound in bounds.items())


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


GLOBS: dict[str, Callable[[str], bool]] = {
    "*.jpg": lambda path: path.endswith(".jpg"),
    "trips/**": lambda path: path.startswith("trips/"),
    "trips/*/*1*": lambda path: path.startswith("trips/2024/") and "1" in path.split("/")[2],
    "/2*": lambda path: path.startswith("2"),
    "may/": lambda path: "/may/" in path,
    "*[0-4].???": lambda path: name_of(path)[-5] in "01234",
    "trips/2024/may/*": lambda path: path.startswith("trips/2024/may/"),
}


def test_a_filter_finds_what_python_finds(filled: Filled) -> None:
    # Within, so that Hypothesis does not print the fixture.
    @given(fields=FIELDS)
    @settings(max_examples=150, deadline=None, derandomize=True)
    def check(fields: dict[str, Any]) -> None:
        message = SearchMessage.model_validate({"examples": [EXAMPLE], "limit": 1000, "filter": fields})

        found = [neighbour.path for neighbour in filled.search.find_neighbours(message).neighbours]

        wanted = [each["path"] for each in filled.payloads if all(holds(*field, each) for field in fields.items())]
        # All scores are equal, so they are in order of their paths.
        assert found == sorted(wanted)

    check()
