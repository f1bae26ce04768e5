"""Where a library is: a folder, or a prefix of a bucket on object storage, `s3://bucket/prefix`."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, InstanceOf

from lookalike.library.joined.folders import file_at

SCHEME = "s3://"
# docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; other servers allow a little more.
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")


class BucketAddress(str):
    """`s3://bucket/prefix` in its one form, without a slash at the end. Raises ValueError for what is none."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Checks the text."""
        bucket, _, prefix = text.removeprefix(SCHEME).strip("/").partition("/")
        if "@" in bucket or ":" in bucket:
            # The text itself must not be shown.
            raise ValueError("an address has no credentials in it: give them as AWS_ACCESS_KEY_ID or AWS_PROFILE")
        if not text.startswith(SCHEME) or BUCKET.fullmatch(bucket) is None:
            raise ValueError(f"{text!r} names no bucket: write {SCHEME}bucket/prefix")
        parts = prefix.split("/") if prefix else []
        if any(part in ("", ".", "..") or not part.isprintable() for part in parts):
            raise ValueError(f"{prefix!r} is no prefix: write names with a single slash between them")
        return super().__new__(cls, SCHEME + "/".join([bucket, *parts]))

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.removeprefix(SCHEME).partition("/")[0]

    @property
    def prefix(self) -> str:
        """The folders in it, "" for the whole bucket."""
        return self.removeprefix(SCHEME).partition("/")[2]

    @property
    def name(self) -> str:
        """The last of its names, for people."""
        return self.rpartition("/")[2]


def library_address(given: object) -> Path | BucketAddress:
    """A folder or a bucket from what a person wrote. Raises ValueError."""
    if isinstance(given, Path | BucketAddress):
        return given
    if not isinstance(given, str):
        raise ValueError("name a folder, or s3://bucket/prefix")  # noqa: TRY004 (pydantic reports no TypeError)
    return BucketAddress(given) if given.lower().startswith(SCHEME) else Path(given)


def absolute(address: Path | BucketAddress) -> Path | BucketAddress:
    """The address by which a library is known: a folder by its absolute path, without links."""
    return address.expanduser().resolve() if isinstance(address, Path) else address


def located(address: Path | BucketAddress, name: str) -> str:
    """The address of a file of the library, by its name there."""
    return str(file_at(address, name)) if isinstance(address, Path) else f"{address}/{name}"


LibraryAddress = Annotated[InstanceOf[Path] | InstanceOf[BucketAddress], BeforeValidator(library_address)]
