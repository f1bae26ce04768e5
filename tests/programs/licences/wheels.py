"""Reads installed wheels: which of them the extras bring, under which licence, and which libraries lie in them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# How programs and libraries begin: ELF, Mach-O of both kinds, and what Windows has.
BINARY = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ")
# A module of Python's, which belongs to the wheel itself.
EXTENSION_MODULE = re.compile(r"\.(cpython-[^.]+|abi3|cp\d+-[^.]+)\.(so|pyd)$")
VERSION = re.compile(r"(-[0-9a-f]{8})*(\.so|\.dylib|\.dll|\.\d)[\w.]*$")
# What libraries leave in a binary that they are linked into.
MARKS = {
    "libx265": b"x265 [",
    "libx264": b"x264 [",
    "ffmpeg": b"Lavc5",
    "libfftw3": b"fftw-3",
    "libheif": b"heif_context_alloc",
    "libde265": b"de265_new_decoder",
    "libjxl": b"JxlDecoderCreate",
    "libjpeg": b"Copyright (C) 1991-",
    "zlib": b" inflate 1.",
}


@dataclass(frozen=True, order=True)
class Wheel:
    """What an installed distribution says of itself, and the libraries and programs that it has besides its modules."""

    name: str
    licence: str
    bundles: tuple[str, ...]


def needed(requirements: Iterable[str], installed: Mapping[str, Distribution]) -> set[str]:
    """Canonical names of all that these requirements bring here, themselves included. Raises PackageNotFoundError.

    A requirement of "lookalike" itself is left to the caller, who knows its extras.
    """
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        if name not in installed:
            raise PackageNotFoundError(name)
        for extra in ("", *wanted.extras):
            if (name, extra) not in found:
                found.add((name, extra))
                waiting += _requirements(installed[name], extra)
    return {name for name, _ in found}


def read(distribution: Distribution) -> Wheel:
    """Its licence as its metadata has it, and what it bundles."""
    return Wheel(canonicalize_name(distribution.name), licence_of(distribution), tuple(sorted(_bundled(distribution))))


def licence_of(distribution: Distribution) -> str:
    """The SPDX expression and the classifiers, which may differ; else the first line of the older field."""
    found = distribution.metadata
    classifiers = [line.rpartition(":: ")[2] for line in found.get_all("Classifier") or [] if line[:7] == "License"]
    if "License-Expression" in found:
        # An expression may be of the wheel's own code, a classifier of what it bundles.
        return "; ".join([found["License-Expression"], *(line for line in classifiers if "GPL" in line)])
    older = found["License"].strip().partition("\n")[0] if "License" in found else ""
    return "; ".join(sorted(classifiers)) or older or "none"


def _requirements(distribution: Distribution, extra: str) -> Iterator[Requirement]:
    for line in distribution.requires or []:
        one = Requirement(line)
        is_for_extra = one.marker is not None and "extra" in str(one.marker)
        if one.marker is None or (is_for_extra == bool(extra) and one.marker.evaluate({"extra": extra})):
            one.marker = None
            yield one


def _bundled(distribution: Distribution) -> set[str]:
    found: set[str] = set()
    for file in distribution.files or []:
        path = Path(str(file.locate()))
        if path.suffix in (".py", ".pyc", ".pyi") or not path.is_file():
            continue
        with path.open("rb") as opened:
            if not opened.read(4).startswith(BINARY):
                continue
            opened.seek(0)
            content = opened.read()
        if not EXTENSION_MODULE.search(path.name):
            found.add(VERSION.sub("", path.name))
        found |= {library for library, mark in MARKS.items() if mark in content}
    return found
