"""The index of a running system as `verify` looks at it: read through a client."""

from collections.abc import Sequence

from lookalike.client import Client
from lookalike.search.neighbour import Neighbour
from lookalike.search.query import By

# More than people have copies of one image.
MOST_COPIES = 100


class ClientIndex:
    """The index of the client's system; `vectors` are those that each indexed file has."""

    def __init__(self, client: Client, vectors: Sequence[By]) -> None:
        self._client = client
        self.vectors = vectors
        self.files = client.list
        self.known = client.known

    def is_at_rest(self) -> bool:
        """Whether nothing is left to do."""
        return self._client.status().is_done

    def nearest(self, blob: bytes, by: By) -> Sequence[Neighbour]:
        """Neighbours of an image that is embedded as it is."""
        limit = min(MOST_COPIES, self._client.settings.max_limit)
        return self._client.search(blob, limit, by=by, scaled=False).result()
