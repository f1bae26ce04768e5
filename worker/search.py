"""The search task: the examples' vectors, one query made of them, and its nearest neighbours in the index."""

import base64
import binascii
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lookalike.client.query_image import too_many_bytes
from lookalike.errors import Refused
from lookalike.library.errors import Changing, ReadFailed, Rejected, Unavailable
from lookalike.library.paths import validate_path
from lookalike.library.reader import Content
from lookalike.messages import By, ImageByKey, ImageByPath, ImageInline, SearchExample, SearchMessage, SearchReply
from lookalike.search.combination import combine
from lookalike.search.neighbour import Neighbour, similarity
from lookalike.settings import Distance
from models.preprocess import Box
from worker.errors import TooLargeToDecode
from worker.index.qdrant import QdrantIndex, Vector
from worker.inference.decoder import DecodedImage
from worker.sync_batch import Embeds

# With an index whose model has no copy descriptor the embedding must do.
NO_COPIES = (
    "The model of this index has no vector for copies, so the embedding was asked in its place: crops and turned "
    "copies may be missed (another LOOKALIKE_MODEL, and `lookalike up FOLDER --rebuild`)."
)


class Decodes(Protocol):
    """Turns bytes into the model's input."""

    def __call__(self, blob: bytes, box: Box | None = None, /) -> DecodedImage:
        """Decodes an image, or what is in a box of it. Raises Rejected."""


@dataclass(frozen=True)
class Search:
    """The task's logic over one index and one model. Without a library no box of a path of it can be searched for."""

    index: QdrantIndex
    embedder: Embeds
    decode: Decodes
    read_query: Callable[[str], bytes | None]
    distance: Distance
    max_limit: int
    max_query_bytes: int
    read_library: Callable[[str], Content | None] | None = None

    def find_neighbours(self, message: SearchMessage) -> SearchReply:
        """The neighbours of the examples, best first. Raises Refused if the query is at fault, StoreUnavailable."""
        begun = time.perf_counter()
        if message.limit > self.max_limit:
            raise Refused(f"The limit is {message.limit}, at most {self.max_limit} is allowed (LOOKALIKE_MAX_LIMIT).")
        by = message.by if message.by in self.index.vectors else "embedding"
        vector = combine(self._vectors(message.examples, by), [example.weight for example in message.examples])
        found = self.index.find_nearest(
            vector,
            message.limit,
            by=by,
            offset=message.offset,
            wanted=message.filter,
            score_threshold=message.score_threshold,
        )
        neighbours = [
            Neighbour(
                path=(point.payload or {}).get("path", ""),
                score=point.score,
                similarity=similarity(point.score, self.distance, len(vector)),
                payload=point.payload or {},
            )
            for point in found
        ]
        took_ms = round((time.perf_counter() - begun) * 1000, 2)
        return SearchReply(neighbours=neighbours, took_ms=took_ms, note=None if by == message.by else NO_COPIES)

    def _vectors(self, examples: Sequence[SearchExample], by: By) -> list[Vector]:
        """A vector for each example: one request to the store for all paths, one call of the model for all the rest."""
        whole = {at: path for at, each in enumerate(examples) if (path := _whole_file(each)) is not None}
        known = self._known([*whole.values()], by)
        vectors: dict[int, Vector] = {at: known[path] for at, path in whole.items()}
        pictures: dict[int, DecodedImage] = {}
        sent_bytes = 0
        for at, example in enumerate(examples):
            if at in vectors:
                continue
            try:
                blob = self._blob(example)
                sent_bytes += 0 if isinstance(example.image, ImageByPath) else len(blob)
                self._check_size(sent_bytes)
                pictures[at] = self.decode(blob, example.box)
            except TooLargeToDecode as error:
                vectors[at] = self._stored_instead(example, error, by)
            except Rejected as error:
                raise _refused(error) from error
        computed = self.embedder.describe([picture.pixels for picture in pictures.values()])[by]
        vectors |= {at: vector.tolist() for at, vector in zip(pictures, computed, strict=True)}
        return [vectors[at] for at in range(len(examples))]

    def _known(self, paths: Sequence[str], by: By) -> Mapping[str, Vector]:
        known = self.index.vectors_of(paths, by) if paths else {}
        missing = next((path for path in paths if path not in known), None)
        if missing is None:
            return known
        file = self.index.get_files([missing]).get(missing)
        if file is None:
            raise _unknown(missing)
        raise Refused(f"{missing!r} was rejected: {file.reason}.")

    def _check_size(self, sent_bytes: int) -> None:
        if sent_bytes > self.max_query_bytes:
            raise TooLargeToDecode(too_many_bytes(sent_bytes, self.max_query_bytes))

    def _stored_instead(self, example: SearchExample, error: Rejected, by: By) -> Vector:
        """The vector in the index of an image that is too large: a file may have been indexed with other limits."""
        stored = None
        if example.path is not None and example.box is None:
            stored = self.index.vector_of(validate_path(example.path), by)
        if stored is None:
            raise _refused(error) from error
        return stored

    def _blob(self, example: SearchExample) -> bytes:
        image = example.image
        return self._file(validate_path(image.path)) if isinstance(image, ImageByPath) else self._sent(image)

    def _file(self, path: str) -> bytes:
        """The bytes of a file of the library, of which a box is wanted."""
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
        return content.blob

    def _sent(self, image: ImageByKey | ImageInline) -> bytes:
        if isinstance(image, ImageInline):
            try:
                return base64.b64decode(image.base64, validate=True)
            except binascii.Error as error:
                raise Refused(f"The query is not valid base64: {error}.") from error
        blob = self.read_query(image.key)
        if blob is None:
            raise Refused("The query image is gone: it lives only as long as its job. Search again.")
        return blob


def _whole_file(example: SearchExample) -> str | None:
    """The path of a file whose vector is in the index; None for an image that must be opened."""
    if isinstance(example.image, ImageByPath) and example.box is None:
        return validate_path(example.image.path)
    return None


def _refused(error: Rejected) -> Refused:
    return Refused(f"The query cannot be searched with: {error}.")


def _unknown(path: str) -> Refused:
    return Refused(f"{path!r} is neither a file here nor in the index. `lookalike sync {path!r}` indexes it.")
