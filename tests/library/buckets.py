"""A bucket behind a server that makes faults, as the tests of this folder see it."""

from dataclasses import dataclass

from lookalike.library.address import BucketAddress
from lookalike.library.buckets.bucket import BucketLibrary
from lookalike.library.buckets.bucket_reader import BucketReader
from lookalike.library.buckets.objects import Objects
from lookalike.library.rules import Candidates
from tests.support.faulty.faulty_store import Faults, FaultyStore
from tests.support.object_store import Bucket

PREFIX = "2026"
# Keys on a page of a listing; servers of others have 1,000.
PAGE = 50
# A fault that lasts is known after so long.
RETRY_S = 0.3


@dataclass(frozen=True)
class Served:
    """A bucket of its own for each test; objects are written past the server that makes faults."""

    bucket: Bucket
    store: FaultyStore

    @property
    def faults(self) -> Faults:
        """What goes wrong."""
        return self.store.faults

    @property
    def address(self) -> BucketAddress:
        """That of the library."""
        return BucketAddress(f"s3://{self.bucket.name}/{PREFIX}")

    def objects(self) -> Objects:
        """Requests by way of the server that makes faults."""
        return Objects(self.address, timeout_s=5.0, retry_s=RETRY_S)

    def library(self) -> BucketLibrary:
        """The library as the producer sees it."""
        return BucketLibrary(self.address, self.objects(), Candidates(("jpg",), ignore=("raw",)))

    def reader(self, *, max_bytes: int = 10**6) -> BucketReader:
        """The library as a worker sees it."""
        return BucketReader(self.address, self.objects(), max_bytes=max_bytes)

    def put(self, path: str, blob: bytes = b"picture") -> None:
        """Writes an object of the library."""
        self.bucket.put(f"{PREFIX}/{path}", blob)

    def delete(self, path: str) -> None:
        """Deletes one."""
        self.bucket.delete(f"{PREFIX}/{path}")
