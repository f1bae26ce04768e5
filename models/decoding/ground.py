"""Lays a transparent picture on a ground that it stands out from. Pure.

White is the ground of paper and of most pages, and stays it for most pictures. A white glyph on nothing would vanish on
it, and all such pictures would be the same empty page: they lie on black.
"""

import numpy as np
from PIL import Image

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
# Of the difference to white, in grey levels, averaged over what is seen: below it a picture vanishes on white.
STANDS_OUT = 24.0
# Enough to tell it, whatever the size.
LOOKED_AT_PX = 64


def on_ground(picture: Image.Image) -> Image.Image:
    """An RGB image of an RGBA one."""
    flat = Image.new("RGB", picture.size, _ground(picture))
    flat.paste(picture, mask=picture.getchannel("A"))
    return flat


def _ground(picture: Image.Image) -> tuple[int, int, int]:
    small = picture.copy()
    small.thumbnail((LOOKED_AT_PX, LOOKED_AT_PX), Image.Resampling.BOX)
    values = np.asarray(small.convert("RGBA"), dtype=np.float64)
    seen = values[..., 3] / 255.0
    if seen.sum() == 0.0:
        return WHITE
    difference = 255.0 - values[..., :3].mean(axis=2)
    return WHITE if (difference * seen).sum() / seen.sum() >= STANDS_OUT else BLACK
