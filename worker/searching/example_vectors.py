"""The vectors of examples: one request to the store for all that are indexed, one call of the model for the rest."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from lookalike.client.queries.query_image import too_many_bytes
from lookalike.errors import Refused
from lookalike.library.errors import Changing, ReadFailed, Rejected, Unavailable
from lookalike.library.paths import validate_path
from lookalike.library.reader import Content
from lookalike.messages import (
    ImageById,
    ImageByKey,
    ImageByPath,
    ImageByVector,
    ImageInline,
    SearchExample,
    SearchQuery,
)
from lookalike.search.combination import combine
from lookalike.search.query import By
from models.preprocess import Box, PixelBox
from worker.errors import NotEmbeddedHere, TooLargeToDecode
from worker.index.filters import Without
from worker.index.payload import point_id
from worker.index.points import Vector
from worker.index.qdrant import QdrantIndex
from worker.index.searching import Searching, Stored
from worker.inference.decoder import DecodedImage
from worker.syncing.sync_batch import Embeds

# Model inputs are kept until the model runs: 150 kB each.
EMBEDDED_AT_ONCE = 256


class Decodes(Protocol):
    """Turns bytes into the model's input."""

    def __call__(self, blob: bytes, box: Box | None = None, /) -> DecodedImage:
        """Decodes an image, or what is in a box of it. Raises Rejected."""


@dataclass
class Draft:
    """A query whose vectors are being collected; `fault` says why it is refused, and then nothing more is done for it.

    `by` are the vectors that are compared. `own_ids` and `own_contents` are the examples themselves, if they are not to
    be found.
    """

    query: SearchQuery
    by: By
    points: dict[int, str] = field(default_factory=dict)
    vectors: dict[int, Vector] = field(default_factory=dict)
    own_ids: set[str] = field(default_factory=set)
    own_contents: set[str] = field(default_factory=set)
    fault: Refused | None = None

    @contextmanager
    def failing_alone(self) -> Iterator[None]:
        """What is refused within the block is the fault of this query."""
        try:
            yield
        except Refused as error:
            self.fault = error

    @property
    def vector(self) -> list[float]:
        """The one vector to ask for. Raises Refused."""
        examples = self.query.examples
        return combine([self.vectors[at] for at in range(len(examples))], [example.weight for example in examples])

    @property
    def without(self) -> Without:
        """What must not be found."""
        return Without(sorted(self.own_ids), sorted(self.own_contents))

    def add_own(self, *, point: str | None = None, content: str | None = None) -> None:
        """Remembers a point or a content as the examples' own, if that is asked for."""
        if self.query.exclude_self:
            self.own_ids |= {point} if point else set()
            self.own_contents |= {content} if content else set()


@dataclass(frozen=True, kw_only=True)
class ExampleVectors:
    """Collects vectors. Without a library no box of a path of it can be searched for."""

    index: QdrantIndex
    searching: Searching
    embedder: Embeds
    decode: Decodes
    read_query: Callable[[str], bytes | None]
    dimensions: Mapping[By, int]
    max_query_bytes: int
    read_library: Callable[[str], Content | None] | None

    def collect(self, queries: Sequence[SearchQuery]) -> list[Draft]:
        """A draft for each query, with a vector for each of its examples or with a fault. Raises StoreUnavailable."""
        drafts = [Draft(query, query.by if query.by in self.index.vectors else "embedding") for query in queries]
        for draft in drafts:
            with draft.failing_alone():
                self._take_known(draft)
        points = [point for draft in drafts if draft.fault is None for point in draft.points.values()]
        asked = {draft.by for draft in drafts}
        stored = self.searching.stored(points, by=asked, contents=any(query.exclude_self for query in queries))
        for draft in drafts:
            with draft.failing_alone():
                self._take_stored(draft, stored)
        self._embed(drafts)
        return drafts

    def _take_known(self, draft: Draft) -> None:
        """Vectors that were given, and the points of images that need not be opened."""
        for at, example in enumerate(draft.query.examples):
            image = example.image
            if isinstance(image, ImageByVector):
                draft.vectors[at] = self._checked(image.vector, draft.by)
            elif isinstance(image, ImageById):
                draft.points[at] = image.id
            elif isinstance(image, ImageByPath):
                point = point_id(validate_path(image.path))
                draft.add_own(point=point)
                if not example.is_boxed:
                    draft.points[at] = point

    def _checked(self, vector: list[float], by: By) -> list[float]:
        dimension = self.dimensions[by]
        if len(vector) != dimension:
            raise Refused(f"The vector has {len(vector)} numbers, and those of the index have {dimension}.")
        if not any(vector):
            raise Refused("The vector has no direction: all its numbers are 0.")
        return vector

    def _take_stored(self, draft: Draft, stored: Mapping[str, Stored]) -> None:
        for at, point in draft.points.items() if draft.fault is None else ():
            found = stored.get(point)
            if found is None:
                raise self._not_stored(draft.query.examples[at])
            draft.vectors[at] = found.vectors[draft.by]
            draft.add_own(point=point, content=found.content)

    def _not_stored(self, example: SearchExample) -> Refused:
        if not isinstance(example.image, ImageByPath):
            return Refused(f"There is no image with the id {getattr(example.image, 'id', '')!r} in the index.")
        path = example.image.path
        file = self.index.get_files([path]).get(path)
        return _unknown(path) if file is None else Refused(f"{path!r} was rejected: {file.reason}.")

    def _embed(self, drafts: Sequence[Draft]) -> None:
        """Opens and embeds all images that are left."""
        pending: list[tuple[Draft, int, DecodedImage]] = []

        def run_model() -> None:
            described = self.embedder.describe([picture.pixels for _, _, picture in pending])
            for row, (draft, at, _) in enumerate(pending):
                draft.vectors[at] = described[draft.by][row].tolist()
            pending.clear()

        sent_bytes = 0
        for draft in drafts:
            with draft.failing_alone():
                for at, example in enumerate(draft.query.examples):
                    if at in draft.vectors or draft.fault is not None:
                        continue
                    blob, is_sent = self._blob(draft, example)
                    sent_bytes += len(blob) if is_sent else 0
                    picture = self._opened(draft, at, blob, sent_bytes)
                    if picture is not None:
                        pending.append((draft, at, picture))
            if len(pending) >= EMBEDDED_AT_ONCE:
                run_model()
        if pending:
            run_model()

    def _opened(self, draft: Draft, at: int, blob: bytes, sent_bytes: int) -> DecodedImage | None:
        """The picture, or None if the vector in the index counts in its place. Raises Refused."""
        example = draft.query.examples[at]
        try:
            self._check_size(sent_bytes)
            return self.decode(blob, example.box if example.box_px is None else PixelBox(*example.box_px))
        except NotEmbeddedHere as error:
            draft.vectors[at] = self._stored_instead(example, error, draft.by)
            return None
        except Rejected as error:
            raise _refused(error) from error

    def _check_size(self, sent_bytes: int) -> None:
        if sent_bytes > self.max_query_bytes:
            raise TooLargeToDecode(too_many_bytes(sent_bytes, self.max_query_bytes))

    def _stored_instead(self, example: SearchExample, error: Rejected, by: By) -> Vector:
        """The vector in the index of an image that is too large: a file may have been indexed with other limits."""
        stored = None
        if example.path is not None and not example.is_boxed:
            point = point_id(validate_path(example.path))
            stored = self.searching.stored([point], by=[by]).get(point)
        if stored is None:
            raise _refused(error) from error
        return stored.vectors[by]

    def _blob(self, draft: Draft, example: SearchExample) -> tuple[bytes, bool]:
        """The bytes of an image, and whether they were sent."""
        image = example.image
        if isinstance(image, ImageByPath):
            content = self._file(validate_path(image.path))
            draft.add_own(content=content.sha256)
            return content.blob, False
        blob = self._sent(image)
        if draft.query.exclude_self:
            own = None if example.path is None else point_id(validate_path(example.path))
            draft.add_own(point=own, content=example.sha256 or hashlib.sha256(blob).hexdigest())
        return blob, True

    def _file(self, path: str) -> Content:
        """A file of the library, of which a box is wanted."""
        remedy = "To search for a box of it, let the search worker read the library, or send the image itself."
        if self.read_library is None:
            raise Refused(f"{path!r} cannot be opened, because the search worker has no library. {remedy}")
        try:
            content = self.read_library(path)
        except (Unavailable, ReadFailed, Rejected) as error:
            raise Refused(f"{path!r} cannot be opened by the search worker: {error}. {remedy}") from error
        except Changing as error:
            raise Refused(f"{path!r} is being written: search again when that is done.") from error
        if content is None:
            raise _unknown(path)
        return content

    def _sent(self, image: object) -> bytes:
        if isinstance(image, ImageInline):
            try:
                return base64.b64decode(image.base64, validate=True)
            except binascii.Error as error:
                raise Refused(f"The query is not valid base64: {error}.") from error
        assert isinstance(image, ImageByKey)  # noqa: S101 (all other forms have their vector by now)
        blob = self.read_query(image.key)
        if blob is None:
            raise Refused("The query image is gone: it lives only as long as its job. Search again.")
        return blob


def _refused(error: Rejected) -> Refused:
    return Refused(f"The query cannot be searched with: {error}.")


def _unknown(path: str) -> Refused:
    return Refused(f"{path!r} is neither a file here nor in the index. `lookalike sync {path!r}` indexes it.")
