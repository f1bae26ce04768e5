"""Whole pictures of the library: small pictures that the index lacks, and whether two have the same pixels."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from lookalike.library.kinds import Reader
from lookalike.log import get_logger
from models.decoding import Limits, decode_file
from worker.duplicates.small import small_jpeg

log = get_logger(__name__)


@dataclass(frozen=True)
class Pixels:
    """Reads and decodes files; `library` is None where there is none, and then nothing is known."""

    library: Reader | None
    limits: Limits

    def small(self, path: str, sha256: str) -> bytes:
        """The small picture of a file; empty if it cannot be read, or is another by now."""
        image = self._open(path, sha256)
        return b"" if image is None else small_jpeg(image)

    def are_same(self, a: tuple[str, str], b: tuple[str, str]) -> bool:
        """Whether two files, by path and SHA-256, have the same pixels after the same decoder."""
        first = self._open(*a)
        second = None if first is None else self._open(*b)
        if first is None or second is None or first.size != second.size:
            return False
        return bool(np.array_equal(np.asarray(first), np.asarray(second)))

    def _open(self, path: str, sha256: str) -> Image.Image | None:
        if self.library is None:
            return None
        try:
            content = self.library.read(path)
            if content is None or content.sha256 != sha256:
                return None
            return decode_file(content.blob, None, self.limits).image
        except Exception as error:  # noqa: BLE001 (decoders raise whatever they like)
            log.warning("not opened", path=path, why=str(error))
            return None
