"""The search task: finds the vector of the query and its nearest neighbours in the index."""

import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass

from lookalike.errors import Refused
from lookalike.library.errors import Rejected
from lookalike.library.paths import validate_path
from lookalike.messages import ImageByKey, ImageByPath, ImageInline, SearchMessage, SearchReply
from lookalike.neighbour import Neighbour, similarity
from lookalike.settings import Distance
from worker.errors import TooLargeToDecode
from worker.index.qdrant import QdrantIndex, Vector
from worker.inference.decoder import DecodedImage
from worker.sync import Embeds


@dataclass(frozen=True)
class Search:
    """The task's logic over one index and one model."""

    index: QdrantIndex
    embedder: Embeds
    decode: Callable[[bytes], DecodedImage]
    read_query: Callable[[str], bytes | None]
    distance: Distance
    max_limit: int
    max_query_bytes: int

    def find_neighbours(self, message: SearchMessage) -> SearchReply:
        """The neighbours of the query, best first. Raises Refused if the query is at fault, StoreUnavailable."""
        begun = time.perf_counter()
        if message.limit > self.max_limit:
            raise Refused(f"The limit is {message.limit}, at most {self.max_limit} is allowed (LOOKALIKE_MAX_LIMIT).")
        vector = self._vector(message)
        neighbours = [
            Neighbour(
                path=(point.payload or {}).get("path", ""),
                score=point.score,
                similarity=similarity(point.score, self.distance, len(vector)),
                payload=point.payload or {},
            )
            for point in self.index.find_nearest(vector, message.limit)
        ]
        return SearchReply(neighbours=neighbours, took_ms=round((time.perf_counter() - begun) * 1000, 2))

    def _vector(self, message: SearchMessage) -> Vector:
        if isinstance(message.image, ImageByPath):
            return self._vector_of_path(validate_path(message.image.path))
        try:
            return self._embedded(self._blob(message.image))
        except TooLargeToDecode as error:
            # A file of the library may have been indexed with other limits.
            stored = None if message.path is None else self.index.vector_of(validate_path(message.path))
            if stored is None:
                raise Refused(f"The query cannot be searched with: {error}.") from error
            return stored
        except Rejected as error:
            raise Refused(f"The query cannot be searched with: {error}.") from error

    def _embedded(self, blob: bytes) -> Vector:
        if len(blob) > self.max_query_bytes:
            raise TooLargeToDecode(
                f"it has {len(blob)} bytes, at most {self.max_query_bytes} are allowed (LOOKALIKE_MAX_QUERY_BYTES)"
            )
        return [float(value) for value in self.embedder.embed([self.decode(blob).pixels])[0]]

    def _vector_of_path(self, path: str) -> Vector:
        vector = self.index.vector_of(path)
        if vector is not None:
            return vector
        file = self.index.get_files([path]).get(path)
        if file is None:
            raise Refused(f"{path!r} is neither a file here nor in the index. `lookalike sync {path!r}` indexes it.")
        raise Refused(f"{path!r} was rejected: {file.reason}.")

    def _blob(self, image: ImageByKey | ImageInline) -> bytes:
        if isinstance(image, ImageInline):
            try:
                return base64.b64decode(image.base64, validate=True)
            except binascii.Error as error:
                raise Refused(f"The query is not valid base64: {error}.") from error
        blob = self.read_query(image.key)
        if blob is None:
            raise Refused("The query image is gone: it lives only as long as its job. Search again.")
        return blob
