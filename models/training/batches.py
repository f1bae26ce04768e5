"""Makes the batches of an epoch: which photos, in which order, how varied, and what the trunk makes of them."""

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.augment import as_copy, lightly
from models.training.trunk import Trunk


class Batches:
    """The batches of one epoch, by number: a map-style data set, as PyTorch's loader wants it.

    Each is the rows of its photos, int64 [n], and the trunk's maps, uint8 [2n, c, h, w], of the photos, lightly varied,
    and then of a strong copy of each. The same seed gives the same pixels, in whatever order they are asked for.
    """

    def __init__(
        self, pixels: NDArray[np.uint8], rows: NDArray[np.int64], *, trunk: Path, size: int, px: int, seed: int
    ) -> None:
        self._pixels = pixels
        self._trunk_path = trunk
        self._px = px
        self._seed = seed
        order = np.random.default_rng(seed).permutation(rows)
        # A few photos that fill no batch are left out; another epoch has others.
        count = max(1, len(order) // size)
        self._batches = [order[number * size : (number + 1) * size] for number in range(count)]

    def __len__(self) -> int:
        return len(self._batches)

    @cached_property
    def trunk(self) -> Trunk:
        """Opened by the process that makes batches, at the first: a session does not survive a fork."""
        return Trunk(self._trunk_path)

    def __getitem__(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        rows, photos = self.photos(number)
        return rows, self.trunk.maps(photos)

    def photos(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The rows of a batch, and its photos and their copies before the trunk, uint8 [2n, px, px, 3]."""
        if number >= len(self._batches):
            raise IndexError(number)
        rows = self._batches[number]
        rng = np.random.default_rng([self._seed, number])
        photos = self._pixels[rows]
        light = [lightly(photo, self._px, rng) for photo in photos]
        copies = [as_copy(photo, photos[index - 1], self._px, rng) for index, photo in enumerate(photos)]
        return rows, np.stack(light + copies)
