"""Makes the batches of an epoch: which photos, in which order, how varied, and what the trunk makes of them."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.training.augment import as_copy, as_part, lightly, shrunk
from models.training.trunk import Trunk

if TYPE_CHECKING:
    from models.training.sharper import Sharper

PARTS = 0.25  # of the copies show a part of the photo and nothing else that is changed


class Batches:
    """The batches of one epoch, by number: a map-style data set, as PyTorch's loader wants it.

    Each is the rows of its photos, int64 [n], the trunk's maps, uint8 [2n, c, h, w], of the photos, lightly varied, and
    then of a strong copy of each, and what the sharper network makes of all these, [2n, m], m = 0 without one. The
    same seed gives the same pixels, in whatever order they are asked for.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        rows: NDArray[np.int64],
        *,
        trunk: Path,
        size: int,
        px: int,
        seed: int,
        sharper: "Sharper | None" = None,
    ) -> None:
        self._pixels = pixels
        self._trunk_path = trunk
        self._px = px
        self._seed = seed
        self._sharper = sharper
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

    def __getitem__(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float32]]:
        rows, views = self.views(number)
        told = np.zeros((len(views), 0), dtype=np.float32) if self._sharper is None else self._sharper.targets(views)
        return rows, self.trunk.maps(shrunk(views, self._px)), told

    def views(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The rows of a batch, its photos and their copies, uint8 [2n, s, s, 3]: s of the sharper network, or px."""
        if number >= len(self._batches):
            raise IndexError(number)
        rows = self._batches[number]
        rng = np.random.default_rng([self._seed, number])
        photos = self._pixels[rows]
        px = self._px if self._sharper is None else self._sharper.px
        light = [lightly(photo, px, rng) for photo in photos]
        copies = [
            as_part(photo, px, rng) if rng.random() < PARTS else as_copy(photo, photos[index - 1], px, rng)
            for index, photo in enumerate(photos)
        ]
        return rows, np.stack(light + copies)
