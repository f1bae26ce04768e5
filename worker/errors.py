"""How the store, the index and this worker's settings can fail; of files see lookalike/library/errors.py.

StoreRefused  the store does not accept the request: retried a few times, then at each scan
Unavailable   the library, the store or the broker: the task waits and is retried
(any other exception: a bug of ours)
"""

from lookalike.library.errors import Rejected, Unavailable


class NotEmbeddedHere(Rejected):
    """This worker cannot embed it; what the index has of it counts."""


class TooLargeToDecode(NotEmbeddedHere):
    """It has more pixels, or takes more memory, than is allowed here."""


class Unfit(Unavailable):
    """This worker cannot work with its settings: the operator must change one, or the thing that it names."""


class StoreUnavailable(Unavailable):
    """Qdrant does not answer, or cannot serve now."""


class CollectionMissing(StoreUnavailable):
    """Qdrant answers and does not have our collection: it was removed, or the store came back empty."""


class IndexRefused(Unavailable):
    """The index at the store may not be written to; `str(error)` has the remedy."""


class StoreRefused(Exception):
    """Qdrant does not accept the request, however often it is sent; `str(error)` has Qdrant's text."""


class TooMany(StoreRefused):
    """Qdrant accepts fewer items at once."""


class TooLarge(StoreRefused):
    """Qdrant accepts fewer bytes at once."""
