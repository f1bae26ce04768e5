"""Pairs of the pictures of a folder by perceptual hashes, at the thresholds that their authors name.

Runs in an environment of its own: `pip install pdqhash==0.2.8 imagehash==4.3.2 imagededup==0.3.3.post2`, of which the
last is left out where it is not installed.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# PDQ's own: a distance of 31 of 256 bits, and no hash of a quality below 50. imagededup's default: 10 of 64 bits.
PDQ_BITS, PDQ_QUALITY, PHASH_BITS = 31, 50, 10


def near(bits: Any, most: int, usable: Any) -> Iterator[tuple[int, int]]:
    """Rows of bits [n, d] that differ in so many at most."""
    signs = bits.astype(np.float32) * 2 - 1
    for first in range(0, len(signs), 1024):
        distances = (bits.shape[1] - signs[first : first + 1024] @ signs.T) / 2
        rows, columns = np.nonzero(distances <= most)
        for row, column in zip((rows + first).tolist(), columns.tolist(), strict=True):
            if row < column and usable[row] and usable[column]:
                yield row, column


def main() -> None:
    """Prints the pairs of each rival as JSON."""
    import imagehash  # noqa: PLC0415 (only here)
    import pdqhash  # noqa: PLC0415 (only here)

    files = sorted(Path(sys.argv[1]).iterdir())
    images = [Image.open(file).convert("RGB") for file in files]
    pdq = [pdqhash.compute(np.asarray(image)) for image in images]
    bits, quality = np.stack([one[0] for one in pdq]), np.array([one[1] for one in pdq])
    everything = np.ones(len(files), bool)
    found = {
        "pdqhash": list(near(bits, PDQ_BITS, quality >= PDQ_QUALITY)),
        "imagehash phash": list(
            near(np.stack([imagehash.phash(image).hash.ravel() for image in images]), PHASH_BITS, everything)
        ),
    }
    try:
        from imagededup.methods import PHash  # noqa: PLC0415 (may be missing)
    except ImportError:
        pass
    else:
        hasher = PHash(verbose=False)
        hashes = [hasher.encode_image(image_array=np.asarray(image)) for image in images]
        words = np.array([[int(one, 16)] for one in hashes], np.uint64).view(np.uint8)
        found["imagededup PHash"] = list(near(np.unpackbits(words, axis=1), PHASH_BITS, everything))
    sys.stdout.write(json.dumps(found))


main()
