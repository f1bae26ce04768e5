"""Pictures that are broken at random."""

import random
from collections.abc import Iterable, Iterator, Sequence

from tests.programs.attack.target import Status, Target

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000")


def fuzz(target: Target, count: int, chance: random.Random, seeds: Sequence[bytes]) -> Iterator[Status]:
    """Pictures in which some bytes were changed, cut out or repeated, as images to search by."""
    for _ in range(count):
        blob = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(blob) or 1)
            match chance.randrange(3):
                case 0:
                    blob[at : at + 1] = bytes([chance.randrange(256)])
                case 1:
                    del blob[at : at + chance.randrange(64)]
                case _:
                    blob[at:at] = blob[at : at + chance.randrange(512)]
        yield from sent(target, [bytes(blob)])


def sent(target: Target, blobs: Iterable[bytes]) -> Iterator[Status]:
    """Each as an image to search by."""
    for blob in blobs:
        yield target.http.post("/api/v1/search", files={"image": blob}).status_code
