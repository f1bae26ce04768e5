"""Writes RAW files of drawn pictures."""

import io

import numpy as np
import tifffile
from PIL import Image

from tests.support.pictures import picture


def dng(preview: Image.Image | None = None, *, orientation: int = 1, scene: Image.Image | None = None) -> bytes:
    """A DNG as a camera writes it: 16-bit values behind a colour filter array, a thumbnail first if there is one."""
    light = np.asarray(scene or picture(4, (192, 128))).astype(np.uint16) * 200
    height, width, _ = light.shape
    mosaic = np.empty((height, width), dtype=np.uint16)
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[row::2, column::2] = light[row::2, column::2, channel]
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),
        (50708, "s", 0, "Drawn Camera", True),
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, (0, 1, 1, 2), True),
        (274, "H", 1, orientation, True),
        (50717, "H", 1, 255 * 200, True),
        (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),
        (50778, "H", 1, 21, True),
    ]
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        if preview is None:
            file.write(mosaic, photometric="cfa", extratags=tags)
        else:
            small = np.asarray(preview)
            file.write(small, photometric="rgb", subifds=1, subfiletype=1, extratags=[*tags[:2], tags[4]])
            file.write(mosaic, photometric="cfa", extratags=[tag for tag in tags if tag[0] != 274])
    return out.getvalue()
