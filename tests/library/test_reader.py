"""What the disk says decides whether a file is at fault, or the disk, or nobody."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.errors import Refused
from lookalike.library.errors import ReadFailed, Rejected
from lookalike.library.reader import LibraryReader
from lookalike.library.version import NO_VERSION
from tests.support.pictures import draw


@pytest.fixture
def library(root: Path) -> LibraryReader:
    return LibraryReader(root, max_bytes=10**6)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has a file that answers with EIO")
def test_an_error_of_the_disk_is_not_the_files() -> None:
    """Reading one's own memory at address 0 is an input/output error by definition (proc(5))."""
    with pytest.raises(ReadFailed, match="'mem': the disk cannot read it"):
        LibraryReader(Path("/proc/self"), max_bytes=10**6).read("mem")


def test_what_lay_in_a_folder_that_is_a_file_now_is_gone(library: LibraryReader, root: Path) -> None:
    draw(root / "a.png", 1)

    assert (library.version("a.png/b.png"), library.read("a.png/b.png")) == (None, None)
    assert library.is_gone("a.png/b.png")


def test_a_byte_and_a_name_that_spells_its_escape_are_two_files(library: LibraryReader, root: Path) -> None:
    draw(root / "\udce9" / "caf\udce9.png", 1)
    draw(root / "\\xe9" / "caf\\xe9.png", 2)
    draw(root / "é.png", 3)

    with pytest.raises(Rejected, match="not valid UTF-8"):
        library.read("\\xe9/caf\\xe9.png")
    content = library.read("\\x5cxe9/caf\\x5cxe9.png")
    assert content is not None
    assert content.blob == (root / "\\xe9" / "caf\\xe9.png").read_bytes()
    assert not library.is_gone("\\xe9/caf\\xe9.png")
    assert not library.is_gone("\\x5cxe9/caf\\x5cxe9.png")
    # Nothing is shown so: the bytes are the letter's.
    assert (library.read("\\xc3\\xa9.png"), library.is_gone("\\xc3\\xa9.png")) == (None, True)


def test_a_file_that_nobody_can_look_at_is_there_and_not_gone(
    library: LibraryReader, root: Path, request: pytest.FixtureRequest
) -> None:
    draw(root / "secret" / "a.png", 1)
    (root / "secret").chmod(0)
    root.chmod(0o755)
    request.getfixturevalue("_nobody")

    assert library.version("secret/a.png") == NO_VERSION
    assert not library.is_gone("secret/a.png")
    with pytest.raises(Rejected, match="no permission"):
        library.read("secret/a.png")


@pytest.fixture
def _nobody(tmp_path: Path) -> Iterator[None]:
    """For root nothing is forbidden: becomes nobody while the test runs, and lets nobody reach the library."""
    if os.geteuid() != 0:
        yield
        return
    folders = [tmp_path, *list(tmp_path.parents)[:-2]]
    modes = [folder.stat().st_mode for folder in folders]
    for folder in folders:
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in zip(folders, modes, strict=True):
            folder.chmod(mode)


def test_a_missing_permission_is_a_reason_that_may_pass(
    library: LibraryReader, root: Path, request: pytest.FixtureRequest
) -> None:
    draw(root / "secret.png", 1).chmod(0)
    root.chmod(0o755)
    request.getfixturevalue("_nobody")

    with pytest.raises(Rejected, match="no permission") as caught:
        library.read("secret.png")
    assert caught.value.may_pass


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/passwd", "a/../../b.png", "a//b.png", "./a.png", "a\0b.png", ""]
)
def test_a_path_that_is_not_inside_is_refused(library: LibraryReader, root: Path, path: str) -> None:
    draw(root / "a.png", 1)

    for ask in (library.version, library.read, library.is_gone):
        with pytest.raises(Refused, match="not a path inside the library"):
            ask(path)
