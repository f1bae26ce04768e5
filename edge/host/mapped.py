"""Lets go of the pages of mapped files, which the engine maps whole: the kernel has them in its cache all the same.

A file of 32 MiB for the first vectors counts as memory of the process from its first moment, however few they are.
The next search asks for the pages that it needs again, without reading the disk (Linux; elsewhere nothing is done).
"""

import ctypes
import re
import sys
from pathlib import Path

# sys/mman.h
MADV_DONTNEED = 4
# Shared mappings alone: what was written to them is in the file.
MAPPING = re.compile(r"(?P<begin>[0-9a-f]+)-(?P<end>[0-9a-f]+) \S{3}s \S+ \S+ \d+ +(?P<file>/.*)")


def release_mapped(folder: Path, maps: Path = Path("/proc/self/maps")) -> int:
    """Lets go of what is mapped of the files in a folder. Returns how many mappings that were."""
    if not sys.platform.startswith("linux"):
        return 0
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    inside = f"{folder.resolve()}/"
    released = 0
    for line in maps.read_text("utf-8", "surrogateescape").splitlines():
        found = MAPPING.fullmatch(line)
        if found is not None and found["file"].startswith(inside):
            begin, end = int(found["begin"], 16), int(found["end"], 16)
            released += madvise(begin, end - begin, MADV_DONTNEED) == 0
    return released
