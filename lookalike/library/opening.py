"""Opens the library that the settings name, with its rules: those of the settings and those of its ignore file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lookalike.errors import Misconfigured, Unreachable
from lookalike.library.address import BucketAddress, absolute
from lookalike.library.buckets.bucket import BucketLibrary
from lookalike.library.buckets.bucket_faults import BucketFault
from lookalike.library.buckets.bucket_reader import BucketReader
from lookalike.library.buckets.objects import Objects
from lookalike.library.errors import LibraryOffline
from lookalike.library.folder import FolderLibrary
from lookalike.library.joined.folders import read_joined
from lookalike.library.joined.library import JoinedLibrary
from lookalike.library.joined.reader import JoinedReader
from lookalike.library.joined.rules import JoinedCandidates
from lookalike.library.kinds import Library, Reader
from lookalike.library.links import Links
from lookalike.library.reader import LibraryReader
from lookalike.library.rules import IGNORE_FILE, Candidates
from lookalike.settings import Settings

# Ten thousand patterns and more; each is compared with each file.
MAX_IGNORE_BYTES = 1 << 20


def library_of(settings: Settings) -> Library:
    """The library that is set. Raises Misconfigured if its folder is not here, LibraryOffline without its bucket."""
    root = None if settings.library is None else absolute(settings.library)
    if isinstance(root, BucketAddress):
        library = BucketLibrary(root, objects_of(settings, root), _rules(settings, ()))
        library.candidates = rules_of(settings, library)
        return library
    if root is None or not root.is_dir():
        raise Misconfigured(
            f"The library {root or ''} is not here: set LOOKALIKE_LIBRARY to the folder with the images."
        )
    return _folder_library(settings, root, None)


def opened_library(settings: Settings, root: Path | BucketAddress) -> Library:
    """That at this address, whether it is there or not, for a part that waits for it. Raises Misconfigured.

    A bucket's ignore file is left to the scan, which reads it first.
    """
    if isinstance(root, Path):
        return _folder_library(settings, root, Links())
    objects = objects_of(settings, root)
    objects.check()
    return BucketLibrary(root, objects, _rules(settings, ()))


@contextmanager
def asked_library(settings: Settings) -> Iterator[Library]:
    """The library for a command, while the block runs. Raises Misconfigured, Unreachable if it does not answer."""
    try:
        yield library_of(settings)
    except LibraryOffline as error:
        raise Unreachable(f"The library {settings.library} {error}.") from None


def reader_of(settings: Settings) -> Reader | None:
    """What reads the files of the library; None if none is set."""
    root, max_bytes = settings.library, settings.max_image_bytes
    if isinstance(root, BucketAddress):
        return BucketReader(root, objects_of(settings, root), max_bytes=max_bytes)
    joined = None if root is None else read_joined(root)
    if joined is not None:
        return JoinedReader(joined, max_bytes=max_bytes)
    return None if root is None else LibraryReader(root, max_bytes=max_bytes)


def objects_of(settings: Settings, address: BucketAddress) -> Objects:
    """The objects below an address. Nothing connects here."""
    return Objects(address, timeout_s=settings.bucket_timeout_s, retry_s=settings.bucket_retry_s)


def candidates_of(settings: Settings, root: Path) -> Candidates:
    """The rules of a folder. Raises Misconfigured if the file cannot be read, or for a pattern that cannot work."""
    joined = read_joined(root)
    if joined is not None:
        parts = {name: _rules_in(settings, folder) for name, folder in joined.folders.items()}
        return JoinedCandidates(parts, joined.dropped)
    return _rules(settings, read_ignore_file(root))


def rules_of(settings: Settings, library: Library) -> Candidates:
    """The rules of a library as they are now. Raises Misconfigured as above, LibraryOffline."""
    if isinstance(library, BucketLibrary):
        return _rules(settings, _read_ignore_object(library.objects))
    return candidates_of(settings, Path(library.root))


def _folder_library(settings: Settings, root: Path, links: Links | None) -> FolderLibrary:
    joined, rules = read_joined(root), candidates_of(settings, root)
    if joined is not None and isinstance(rules, JoinedCandidates):
        return JoinedLibrary(root, joined, rules, follows_links=links is not None)
    return FolderLibrary(root, rules, links)


def _rules_in(settings: Settings, folder: Path) -> Candidates:
    """Those of one of several folders, whose name is added to what is wrong with them."""
    try:
        return candidates_of(settings, folder)
    except Misconfigured as error:
        raise Misconfigured(f"{folder}: {error}") from error


def read_ignore_file(root: Path) -> tuple[str, ...]:
    """The lines of the ignore file; none without one. Raises Misconfigured."""
    try:
        with (root / IGNORE_FILE).open("rb") as file:
            content = file.read(MAX_IGNORE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise Misconfigured(
            f"{IGNORE_FILE} cannot be read ({error.strerror}): make it readable, or remove it."
        ) from error
    return _lines(content)


def _read_ignore_object(objects: Objects) -> tuple[str, ...]:
    try:
        found = objects.download(IGNORE_FILE)
        if found is None:
            return ()
        if found.version.size_bytes > MAX_IGNORE_BYTES:
            raise _too_long()
        return _lines(b"".join(found.pieces))
    except BucketFault as fault:
        raise LibraryOffline(str(fault)) from None


def _rules(settings: Settings, lines: tuple[str, ...]) -> Candidates:
    return Candidates(settings.extensions, settings.ignore, lines, settings.ignore_defaults)


def _lines(content: bytes) -> tuple[str, ...]:
    if len(content) > MAX_IGNORE_BYTES:
        raise _too_long()
    return tuple(content.decode("utf-8-sig", "surrogateescape").splitlines())


def _too_long() -> Misconfigured:
    return Misconfigured(f"{IGNORE_FILE} has more than {MAX_IGNORE_BYTES} bytes: leave out folders in place of files.")
